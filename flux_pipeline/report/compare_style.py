"""The style of a comparison's page: light and dark, from a phone to a wide screen, and on paper."""

STYLE = """
:root{color-scheme:light dark;--ground:#f7f5f1;--card:#fff;--ink:#1d1b18;--quiet:#5d574e;--line:#e0dacf;
--gone:#9c1c1c;--gone-ground:#fbe4e1;--new:#0f5c33;--new-ground:#dcf3e4;--accent:#7a4a00;--accent-ground:#f8ecd6;
--shade:0 1px 2px #1d1b1814,0 4px 16px #1d1b180a}
@media(prefers-color-scheme:dark){:root{--ground:#151412;--card:#201e1b;--ink:#f0ece5;--quiet:#b4ab9e;--line:#3a3631;
--gone:#ffb3a9;--gone-ground:#4a1d19;--new:#9fe3b8;--new-ground:#173a26;--accent:#f0bd6a;--accent-ground:#3a2c14;--shade:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
main{margin:0 auto;max-width:72rem;padding:2.25rem 1.5rem 4rem}
h1{font-size:1.75rem;line-height:1.2;letter-spacing:-.01em;margin:0 0 .4rem}
h2{font-size:1rem;line-height:1.4;margin:0;font-weight:600;flex:1 1 16rem;min-width:0}
h2 code{font-size:.95em;display:-webkit-box;overflow:hidden;-webkit-box-orient:vertical;-webkit-line-clamp:3;line-clamp:3}
code{font:.9em/1.5 ui-monospace,monospace}
p{margin:.25rem 0}.quiet{color:var(--quiet)}a{color:inherit}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:.2rem}
.names .arrow{color:var(--quiet);padding:0 .35rem}
.counts{font-size:1.15rem;margin-top:1.25rem}
.remark{background:var(--accent-ground);border-left:3px solid var(--accent);border-radius:0 .4rem .4rem 0;padding:.6rem .9rem;
margin:1rem 0}
.costs{display:grid;grid-template-columns:repeat(5,minmax(0,1fr));margin:1rem 0 2rem;padding:0;background:var(--card);
border:1px solid var(--line);border-radius:.75rem;box-shadow:var(--shade);overflow:hidden}
.costs div{padding:.75rem 1rem;box-shadow:-1px -1px 0 var(--line)}
.costs dt{color:var(--quiet);font-size:.85rem}.costs dd{margin:0;font-size:1.2rem;font-weight:600;font-variant-numeric:tabular-nums}
article{background:var(--card);border:1px solid var(--line);border-radius:.75rem;box-shadow:var(--shade);
padding:1.1rem 1.25rem 1.25rem;margin:0 0 1.25rem}
article header{display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:baseline}
.kind{font-size:.8rem;font-weight:600;line-height:1.4;padding:.1rem .6rem;border-radius:1rem;white-space:nowrap;
color:var(--accent);background:var(--accent-ground)}
.kind.added{color:var(--new);background:var(--new-ground)}.kind.removed{color:var(--gone);background:var(--gone-ground)}
.money{color:var(--quiet);font-size:.92rem;font-variant-numeric:tabular-nums}
.note{margin:.5rem 0 0}
.prompt{white-space:pre-wrap;border-left:3px solid var(--line);padding:.1rem 0 .1rem .9rem;margin:.8rem 0;max-width:60rem}
del,ins{padding:0 .2em;border-radius:.2em;-webkit-box-decoration-break:clone;box-decoration-break:clone}
del{color:var(--gone);background:var(--gone-ground);text-decoration-thickness:1px}
ins{color:var(--new);background:var(--new-ground);text-decoration-thickness:1px;text-underline-offset:.2em}
del+ins{margin-left:.3em}
table{border-collapse:collapse;margin:.8rem 0;font-size:.92rem}
th,td{text-align:left;padding:.3rem 1.2rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child>*{border-bottom:0}th{font-weight:400;color:var(--quiet)}
.pair{display:flex;gap:1rem;align-items:flex-start;margin-top:.9rem}
figure{margin:0;flex:0 1 auto;min-width:min(16rem,calc(50% - .5rem));max-width:calc(50% - .5rem)}
figure:only-child{max-width:100%}
figcaption{color:var(--quiet);font-size:.85rem;line-height:1.4;margin-top:.4rem;width:0;min-width:100%}
figcaption b{color:var(--ink);font-weight:600}
.frame{display:block;width:fit-content;max-width:100%;border-radius:.4rem;overflow:hidden;background:var(--ground)}
.frame img{display:block;max-width:100%;height:auto}
a.frame:hover{outline:2px solid var(--accent);outline-offset:1px}
.none{display:grid;place-items:center;width:16rem;max-width:100%;min-height:8rem;padding:1rem;text-align:center;font-size:.92rem;
color:var(--quiet);border:1px dashed var(--quiet);border-radius:.4rem}
.none.failed,.none.cancelled,.none.doubtful{align-content:center;gap:.5rem;color:var(--ink);border-style:solid}
.none.failed,.none.cancelled{border-color:var(--gone);background:var(--gone-ground)}
.none.doubtful{border-color:var(--accent);background:var(--accent-ground)}
.badge{padding:.1rem .6rem;border-radius:1rem;font-size:.8rem;font-weight:600;line-height:1.4;color:var(--gone-ground);
background:var(--gone)}
.doubtful .badge{color:var(--accent-ground);background:var(--accent)}
.view{display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;margin:.9rem 0 0;padding:0;border:0;font-size:.92rem}
.view legend{float:left;padding:0;margin-right:1.1rem;line-height:1.75rem;color:var(--quiet)}
.view label{display:inline-flex;gap:.4rem;align-items:center;min-height:1.75rem;cursor:pointer}
.view input{width:1.1rem;height:1.1rem;margin:0;accent-color:var(--accent)}
@supports not selector(:has(a)){.view{display:none}}
article:has(.one:checked) .pair{display:grid;grid-template-columns:fit-content(100%);grid-template-rows:auto auto;gap:0}
article:has(.one:checked) figure{grid-area:1/1/3/-1;display:grid;grid-template:subgrid/subgrid;max-width:100%}
article:has(.one:checked) .narrow{grid-template-columns:fit-content(100%) 1fr;max-width:30rem}
article:has(.one:checked) figcaption{grid-column:1/-1}
article:has(.one:checked) .frame{width:100%}article:has(.one:checked) img{width:100%}
article:has(.before:checked) figure+figure,article:has(.after:checked) figure:first-child{visibility:hidden}
article:has(.half:checked) figure:first-child{z-index:1;pointer-events:none}
article:has(.half:checked) figure:first-child .frame{position:relative;pointer-events:auto;clip-path:inset(0 50% 0 0)}
article:has(.half:checked) figure:first-child .frame::after{content:"";position:absolute;inset:0 50% 0 auto;
border-right:3px solid var(--card);outline:1px solid var(--accent)}
article:has(.half:checked) figcaption{min-width:50%;max-width:50%;padding-right:.75rem}
article:has(.half:checked) figure+figure figcaption{margin-left:50%;padding:0 0 0 .2rem}
.empty{padding:3rem 1rem;text-align:center;color:var(--quiet);border:1px dashed var(--line);border-radius:.75rem}
@media(max-width:48rem){main{padding:1.5rem 1rem 3rem}.costs{grid-template-columns:1fr 1fr}h2{flex-basis:60%}.money{width:100%}
.costs div:last-child{grid-column:1/-1}}
@media(max-width:34rem){h1{font-size:1.5rem}main{padding:1.25rem .75rem 2.5rem}article{padding:.9rem .9rem 1rem}
.pair{gap:.6rem}figure{min-width:calc(50% - .3rem);max-width:calc(50% - .3rem)}.none{padding:.6rem}
h2{flex-basis:100%}}
@media(forced-colors:active){.kind,.costs,article,.frame{border:1px solid}}
@media print{body{background:none}article{break-inside:avoid;box-shadow:none}.view{display:none}}
"""
