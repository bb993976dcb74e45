"""What a page is asked about itself, as JavaScript that gives a list of what is wrong."""

from __future__ import annotations

__all__ = ["MADE", "WIDE"]

# what is wider than where it stands, or stands beyond the right edge of its cell; [] if all is
# well
WIDE = """() => {
  const wrong = [], shown = (one) => one.getClientRects().length > 0;
  const said = (one) => `${one.tagName}.${one.className.baseVal ?? one.className} ${one.scrollWidth}>${one.clientWidth}: ${one.textContent.slice(0, 40)}`;
  for (const one of [document.documentElement, ...document.querySelectorAll('.po, .po-pane, .po table, .po pre, .po-list, .po .card, .jp-OutputArea-output')])
    if (shown(one) && one.scrollWidth > one.clientWidth + 1) wrong.push(said(one));
  for (const one of document.querySelectorAll('.po *, .jp-OutputArea-output :is(button, input, select, textarea)')) {
    const edge = (one.closest('.jp-OutputArea-output') ?? document.documentElement).getBoundingClientRect().right;
    if (shown(one) && !one.closest('thead') && one.getBoundingClientRect().right > edge + 1) wrong.push('beyond: ' + said(one));
  }
  return wrong.slice(0, 12);
}"""

# elements of the data: ours has none of these, nor a handler or an address on any
MADE = """(among) => [...document.querySelectorAll(among)].filter((one) =>
  /^(img|a|script|iframe|object|embed|form|link|base|math|mjx-container|foreignObject|use|video|audio)$/i.test(one.tagName)
  || [...one.attributes].some((each) => /^on|^(xlink:)?href$|^src|formaction/i.test(each.name))).map((one) => one.outerHTML.slice(0, 120))"""
