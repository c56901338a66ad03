// How the page looks: by hand, in one place, without anything from elsewhere. Colours are those of Okabe and Ito, which people with
// any kind of colour vision can tell apart, darker on white and lighter on black.

enum Style {
  static let sheet = Markup.verbatim(
    """
    :root {
      --paper: #fff; --ink: #1a1c20; --soft: #5a6068; --rule: #d5d9df; --panel: #f6f7f9; --link: #0b57a4;
      --shade: #0b57a4; --good: #0a6b3d; --good-back: #e3f5ea; --bad: #a11d1d; --bad-back: #fdeaea;
      --c0: #0072b2; --c1: #c25400; --c2: #00795a; --c3: #a8417f; --c4: #8a6d00; --c5: #3a8fc4; --c6: #6b4fa0; --c7: #4d4d4d;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --paper: #15171b; --ink: #e6e8ec; --soft: #a3abb6; --rule: #383d46; --panel: #1d2026; --link: #7cb8f2;
        --shade: #2f78bd; --good: #7fd6a4; --good-back: #143022; --bad: #f29c9c; --bad-back: #3a1b1b;
        --c0: #56b4e9; --c1: #f0924c; --c2: #35c49a; --c3: #e08fc0; --c4: #e0c23c; --c5: #9fd0f0; --c6: #b8a1e6; --c7: #b8bcc4;
      }
    }
    * { box-sizing: border-box; }
    html { color-scheme: light dark; scroll-behavior: smooth; }
    body {
      margin: 0 auto; max-width: 76rem; padding: 1.5rem clamp(1rem, 3vw, 2.5rem) 4rem; background: var(--paper); color: var(--ink);
      font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", sans-serif;
    }
    h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .75rem; overflow-wrap: anywhere; }
    h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
    h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; overflow-wrap: anywhere; }
    h4 { font-size: .95rem; margin: 1rem 0 .5rem; color: var(--soft); }
    p { max-width: 48rem; }
    a { color: var(--link); }
    :focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
    nav ul, .legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0; padding: 0; }
    .legend { margin-bottom: .5rem; font-size: .9rem; }
    .legend li { display: flex; align-items: center; gap: .5rem; overflow-wrap: anywhere; }
    .legend svg { width: 1.75rem; height: .625rem; flex: none; }
    .notes { color: var(--soft); padding-left: 1.25rem; }
    .scroll { overflow-x: auto; margin: 1rem 0; max-width: 100%; }
    table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
    caption { text-align: left; font-weight: 600; padding-bottom: .35rem; white-space: nowrap; }
    th, td { padding: .25rem .6rem; border-bottom: 1px solid var(--rule); }
    thead th { border-bottom: 2px solid var(--rule); font-weight: 600; vertical-align: bottom; }
    .words { text-align: left; overflow-wrap: break-word; max-width: 28rem; }
    tbody th { font-weight: 600; }
    .number { text-align: right; white-space: nowrap; }
    thead td { border: 0; }
    th[scope=colgroup] { text-align: center; border-bottom: 0; color: var(--soft); }
    .shade { background: color-mix(in srgb, var(--shade) var(--part), transparent); text-align: center; min-width: 2.75rem; }
    .shade.deep { color: #fff; }
    .totals th, .totals td { border-top: 2px solid var(--rule); }
    .charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 1rem; }
    .charts.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); }
    figure { margin: 0; padding: .75rem; background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem; break-inside: avoid; }
    figcaption { font-weight: 600; font-size: .9rem; margin-bottom: .25rem; overflow-wrap: anywhere; }
    figcaption small { display: block; font-weight: 400; color: var(--soft); }
    figure svg { display: block; width: 100%; height: auto; }
    svg text { fill: var(--soft); font-size: 12px; font-family: inherit; }
    .grid { stroke: var(--rule); stroke-width: 1; }
    .ideal { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; }
    .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
    .dashed { stroke-dasharray: 6 4; }
    .c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
    .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); } .c6 { stroke: var(--c6); } .c7 { stroke: var(--c7); }
    .dot { fill: var(--panel); stroke-width: 1.5; }
    .bar { fill: var(--c0); }
    .bar.other { fill: var(--c1); }
    .samples { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .75rem; list-style: none; padding: 0; }
    .samples li { padding: .6rem; background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem; font-size: .85rem; break-inside: avoid; overflow-wrap: anywhere; }
    .samples img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; image-rendering: pixelated; background: #808080; margin-bottom: .4rem; border-radius: .25rem; }
    .samples b { display: block; }
    .meter { display: inline-block; height: .7rem; background: var(--c0); border-radius: .15rem; vertical-align: middle; }
    details { margin: .75rem 0; }
    summary { cursor: pointer; color: var(--link); overflow-wrap: anywhere; }
    pre { overflow-x: auto; padding: .75rem; background: var(--panel); border: 1px solid var(--rule); border-radius: .5rem; font: .85rem/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
    .difference { padding: .75rem 0; }
    .difference > * { display: block; padding: 0 .75rem; text-decoration: none; min-width: max-content; }
    .difference ins { background: var(--good-back); color: var(--good); }
    .difference del { background: var(--bad-back); color: var(--bad); }
    .difference .place { color: var(--soft); }
    @media print {
      :root {
        --paper: #fff; --ink: #000; --soft: #444; --rule: #bbb; --panel: #fff; --link: #000; --shade: #0b57a4;
        --good: #0a6b3d; --good-back: #e3f5ea; --bad: #a11d1d; --bad-back: #fdeaea;
        --c0: #0072b2; --c1: #c25400; --c2: #00795a; --c3: #a8417f; --c4: #8a6d00; --c5: #3a8fc4; --c6: #6b4fa0; --c7: #4d4d4d;
      }
      html { color-scheme: light; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
      body { max-width: none; padding: 0; font-size: 10pt; }
      nav { display: none; }
      h2, h3, h4, caption, .legend { break-after: avoid; }
      tr { break-inside: avoid; }
      .scroll, pre { overflow: visible; }
      pre { white-space: pre-wrap; }
      .difference > * { min-width: 0; }
      .charts { grid-template-columns: 1fr 1fr; }
      .charts.small { grid-template-columns: 1fr 1fr 1fr; }
    }
    """)
}
