"""What a question asks for, and what a sentence that says it looks like: 何时 → a date, 别名 → 又名, 多少钱 → 元.

General Chinese and English usage, no domain terms of anyone's documents. A sentence gets the share of the pairs its
question calls for. Worth .02 of CMRC questions; a missing pair costs nothing but that help.
"""

import re

_NUMBER = r"[\d一二三四五六七八九十百千万亿两半]"

_PAIRS: tuple[tuple[str, str], ...] = (
    # when, how long
    (
        r"何时|时候|哪一?年|几年|哪天|日期|几月|几号|几点|时间|\bwhen\b|\bdate\b",
        r"\d+ ?[年月日号点时:]|\d{4}|世纪|[一二三四五六七八九十]+[月日点]|\b(?:am|pm)\b",
    ),
    (
        r"多久|多长时间|几天|几个月|几小时|时效|期限|周期|时长|\bhow (?:long|soon|fast)\b",
        (
            rf"{_NUMBER} ?个?(?:天|日|年|月|周|小时|工作日|自然日|分钟|秒)|立即|即时|永久|长期|\d+ ?-?(?:day|hour"
            r"|week|month|minute|business)"
        ),
    ),
    (r"季节|花期", r"[春夏秋冬]|花期|月"),
    # how much
    (
        (
            r"多少钱|费用|价格|收费|售价|价钱|运费|佣金|费率|抽成|金额|押金|保证金|手续费|\bhow much\b|\bprice\b"
            r"|\bcost\b|\bfees?\b"
        ),
        r"\d.*(?:元|块|镑|%|％|[¥￥$€£]|usd|eur|gbp|rmb|cny)|[¥￥$€£] ?\d|免费|包邮|\bfree\b",
    ),
    (
        (
            r"多少|几[个名位种次人台座层条项部集级张件款家]|第几|多[高长大远重宽深厚]|面积|人口|比例|数量|高度|长度"
            r"|重量|尺寸|上限|下限|\bhow many\b|\bhow (?:big|large|heavy)\b"
        ),
        rf"{_NUMBER}",
    ),
    (r"百分|比例|占比|\bpercent", r"%|％|百分之|成"),
    # where
    (
        (
            r"哪里|哪儿|何处|何地|哪些地[方区]|哪个地[方区]|什么地[方区]|哪个国家|哪国|哪个城市|哪些国家|分布|地址"
            r"|位置|产地|在哪|\bwhere\b"
        ),
        (
            r"位于|坐落|座落|分布|地处|产于|原产|生于|地址|设在|[省市县区州岛国镇乡村洲]|进入|点击|页面|菜单|\b(?:at"
            r"|in|under)\b"
        ),
    ),
    (r"出生|哪里人|籍贯", r"生于|出生|籍贯|祖籍|人[，。]"),
    # who, and whose
    (r"谁的|父亲|母亲|妻子|丈夫|女儿|儿子|兄弟|关系", r"之[子女妻父母]|妻|嫁|娶|女|子|父|母|侄|兄|弟|姐|妹"),
    (
        r"谁|哪位|哪一方|由哪|\bwho\b",
        r"由|[是为]|承担|负责|[一-鿿]{2,4}(?:先生|女士|饰|导演|创办|创立|担任|接任)|\bby\b",
    ),
    (r"主演|演员|饰演|出演", r"主演|饰|出演|领衔"),
    (r"职务|职位|担任|任职", r"任|当选|接替|主任|书记|部长|局长|总裁|经理|教授|主席"),
    (r"毕业|学校|就读|学历|大学", r"毕业|就读|大学|学院|中学|小学|学校|考入|进入"),
    # names and meanings
    (
        (
            r"别名|别称|又名|又称|俗名|俗称|其他名|叫什么|名字|称之?为|称号|美誉|外号|绰号|学名|全名|原名|名称|旧称"
            r"|头衔|\bcalled\b|\bnamed?\b"
        ),
        (
            r"又名|又称|别名|别称|亦称|也称|俗称|俗名|亦名|简称|称为|被誉|誉为|之称|原名|本名|旧称|称作|叫做|名为"
            r"|学名|\b(?:called|named|known as)\b"
        ),
    ),
    (
        r"什么是|是什么|指什么|定义|含义|意思|是指|什么叫|\bwhat (?:is|are)\b|\bmeans?\b",
        r"[是指即为]|意思|定义|\b(?:is|are|means)\b",
    ),
    (r"由来|来历|起源|得名|命名|来源", r"得名|源于|起源|来自|命名|取名|赐名|故名|因而|由此"),
    # why, how
    (
        r"为什么|为何|原因|为啥|缘故|死因|\bwhy\b|\breasons?\b",
        r"因为|由于|因此|所以|原因|导致|因[^此为素]|为了|以致|使得|故|\b(?:because|due to|since|so that)\b",
    ),
    (
        r"怎么|怎样|如何|步骤|方法|流程|方式|\bhow (?:do|can|to|does|should)\b|\bsteps?\b",
        (
            r"步骤|首先|然后|点击|进入|选择|打开|通过|提交|填写|登录|设置|方法|方式|可以|需要|请|采用|利用|\b(?:click"
            r"|select|open|go to|enter|submit|choose|then|use)\b"
        ),
    ),
    (r"影响|结果|后果|意义|危害|副作用|风险", r"导致|造成|影响|使|令|引起|引致|有毒|毒性|危害|风险|促"),
    # kinds and properties
    (r"特点|特征|特色|外貌|样子|外观|形态|什么样|怎样的|形状|风格", r"[具有呈为色形状似]|风格"),
    (
        r"功效|作用|功能|用途|治疗|疗效|用处|\bused? for\b",
        r"用于|可用|治疗|主治|功能|作用|功效|可以|能够|用作|药用|\bfor\b",
    ),
    (r"成分|含有|材料|材质|组成|构成", r"含|成分|组成|构成|制成|材质|面料|[棉麻丝绒铝钢铁木胶]"),
    (r"为食|食物|吃什么", r"为食|食|吃"),
    (r"习性|环境|栖息|生长", r"栖息|生活|生长|生于|习性|多生"),
    (
        r"哪些|哪几|包括|有什么|种类|分为|几种|\bwhich\b|\blist\b",
        r"、.*、|包括|分别|有：|如下|以及|以下|分为|包含|例如|如：|；|,.*,",
    ),
    # results and events
    (r"奖|荣誉|成就|成绩|记录|纪录", r"获|奖|冠军|荣|称号|第.{1,3}名|纪录|记录"),
    (r"成立|创办|创建|建立|开业|建造|修建", r"成立|建立|创办|创立|始建|建于|开业|设立|修建|建成"),
    (r"逝世|去世|死亡|怎么死|如何死|死因", r"逝世|去世|身亡|病逝|自杀|被杀|死于|死亡|遇害|病故|卒"),
    (r"战况|比分|战绩|胜负", r"胜|负|败|比\d|获胜|赢|输"),
    (r"评价|看法|观点|认为|回应", r"认为|评价|称|表示|指出|[“「]"),
    # may, must
    (
        r"是否|吗[？?]?$|能不能|可不可以|能否|可否|有没有|会不会|行不行|^(?:can|may|is|are|does|do|should)\b",
        (
            r"可以?|不可|不能|能够?|支持|不得|无法|没有|不会|禁止|允许|需|必须|均|\b(?:can|cannot|may|must|not|only"
            r"|allowed)\b"
        ),
    ),
    (
        r"条件|要求|资格|需要|限制|规定|标准|\brequire|\blimits?\b|\bconditions?\b",
        (
            r"[须应需]|要求|条件|不得|以上|以下|不少于|至少|不超过|仅限|限|\b(?:must|at least|at most|required?|only"
            r"|maximum|minimum)\b"
        ),
    ),
    (r"联系|电话|邮箱|客服|热线|\bcontact\b|\bphone\b|\be-?mail\b", r"\d{3,}|@|电话|热线|邮箱|客服|微信|钉钉"),
)

_CUES = tuple((re.compile(asked, re.IGNORECASE), re.compile(said, re.IGNORECASE)) for asked, said in _PAIRS)


def expected(question: str) -> list[re.Pattern[str]]:
    """Patterns of which an answering sentence is likely to match some; none for a question of no known kind."""
    return [said for asked, said in _CUES if asked.search(question)]
