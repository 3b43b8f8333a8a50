/** Where a passage stands in its document, beside its heading: “第 3 页”, “报价 · 第 12 行”. */
export function place({ page, sheet, row }, t) {
  const parts = [sheet, row && t("place.row", { n: row }), page && !sheet && t("place.page", { n: page })];
  return parts.filter(Boolean).join(" · ");
}
