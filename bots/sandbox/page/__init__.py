"""The sandbox as a page: a group chat with its cards, what DingTalk sees of the bot, and things to go wrong.

| file | knows |
|---|---|
| ``cast.py``, ``cast.json`` | who is in the organisation |
| ``layouts.py`` | what a card template shows, read from the file that DingTalk's builder imports |
| ``speech.py`` | what a person sends, as DingTalk pushes it |
| ``troubles.py`` | the faults that can be switched on |
| ``view.py``, ``figures.py``, ``feed.py`` | what the page shows, and what of it is new |
| ``server.py`` | its HTTP server, on the loopback address only |
| ``static/`` | the page itself: plain modules, no build step |

Like the rest of the sandbox it knows nothing of the bot: templates, modules and photographs are given to it.
"""
