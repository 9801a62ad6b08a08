"""How a page looks: its colours on light and on dark ground, and its style sheet."""

from __future__ import annotations

# Okabe and Ito's colours, which also those tell apart who see no red or no green; darkened or lightened for the ground
# they stand on. Figures name them (var(--c0)), so that one drawing serves light and dark.
CYCLE = ("#0072b2", "#d55e00", "#009272", "#b8578f", "#b47c00", "#3a93c9", "#7a7a00", "#666666")
_CYCLE_DARK = ("#5ab0ea", "#ff8f4d", "#35c79f", "#e79cc7", "#f2b632", "#9ad4ff", "#d9d24a", "#b0b0b0")

STYLE = (
    ":root{--ground:#fff;--ink:#1d242b;--soft:#59636e;--shade:#0003;--line:#d8dee4;--panel:#f5f7f9;--accent:#0a6b74;--alarm:#9a4a00;"
    + "".join(f"--c{i}:{colour};" for i, colour in enumerate(CYCLE))
    + "}\n@media screen and (prefers-color-scheme:dark){:root{--ground:#14181c;--ink:#e4e8ec;"
    + "--soft:#a2acb6;--shade:#fff3;--line:#343c44;--panel:#1d2328;--accent:#5cc4cf;--alarm:#f0a35e;"
    + "".join(f"--c{i}:{colour};" for i, colour in enumerate(_CYCLE_DARK))
    + "}}\n"
    + """\
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0 auto;padding:2.5rem clamp(1rem,4vw,3rem) 4rem;max-width:88rem;background:var(--ground);color:var(--ink);
 font:16px/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
h1,h2,h3{line-height:1.25;font-weight:650;text-wrap:balance}
h1{font-size:2rem;margin:0 0 .5rem}
h2{font-size:1.35rem;margin:0 0 1rem}
h3{font-size:1.05rem;margin:2rem 0 .75rem}
.note{font-weight:400;font-size:.85em;color:var(--soft)}
p{max-width:70ch;margin:0 0 1rem}
header p{font-size:1.1rem;color:var(--soft)}
a{color:var(--accent)}
code,pre{font:.875em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
pre{background:var(--panel);border-left:3px solid var(--accent);padding:.9rem 1.1rem;
 overflow-x:auto;overflow-wrap:normal}
.listing{list-style:none;margin:0;padding:.9rem 1.1rem;background:var(--panel);columns:3 15rem;column-gap:2rem;
 font:.82em/1.6 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace}
nav{border-block:1px solid var(--line);padding:.75rem 0;margin:1.5rem 0 2.5rem}
nav ol{list-style:none;margin:0;padding:0;columns:2 12rem;column-gap:2rem}
nav li{break-inside:avoid}
nav a{display:block;padding:.3rem 0;text-decoration:none;line-height:1.35}
nav a:hover{text-decoration:underline}
section{padding:0 0 2.75rem;min-width:0;scroll-margin-top:1rem}
section+section{border-top:1px solid var(--line);padding-top:2.25rem}
@media screen and (min-width:70rem){
 body{display:grid;grid-template:auto 1fr/13rem minmax(0,1fr);column-gap:4rem}
 header{grid-column:2} nav{grid-area:1/1/3/2;border:0;margin:0;padding:.5rem 0}
 nav ol{position:sticky;top:1.5rem;columns:1;max-height:calc(100vh - 3rem);overflow-y:auto}
 nav .note{display:block} main{grid-column:2;margin-top:1.5rem;min-width:0}}
.warnings{list-style:none;margin:0;padding:0;max-width:80ch}
.warnings li{background:var(--panel);border-left:3px solid var(--alarm);padding:.7rem 1rem;margin:0 0 .75rem}
.warnings strong{display:block;font-weight:600}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,10rem),1fr));gap:1.1rem 1.5rem;
 margin:0 0 1.5rem}
dl .wide{grid-column:1/-1;max-width:70ch}
dt{font-size:.85rem;color:var(--soft)}
dd{margin:0;font-variant-numeric:tabular-nums}
.scroll{overflow-x:auto;margin:0 0 1.5rem;overflow-wrap:normal;--b:no-repeat local;--s:no-repeat scroll;
 background:linear-gradient(90deg,var(--ground) 50%,#0000) 0 0/2rem 100% var(--b),
 linear-gradient(270deg,var(--ground) 50%,#0000) 100% 0/2rem 100% var(--b),
 linear-gradient(90deg,var(--shade),#0000) 0 0/.7rem 100% var(--s),
 linear-gradient(270deg,var(--shade),#0000) 100% 0/.7rem 100% var(--s)}
table{border-collapse:collapse;font-size:.925rem;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:0 0 .5rem;font-size:.9rem;overflow-wrap:anywhere}
th,td{text-align:left;padding:.4rem 1.2rem .4rem 0;border-bottom:1px solid var(--line);vertical-align:top;
 max-width:28rem}
td{overflow-wrap:anywhere}
th{font-weight:600;color:var(--soft);font-size:.85rem;vertical-align:bottom}
.number{text-align:right;white-space:nowrap}
@media (min-width:60rem){th.number{white-space:normal;overflow-wrap:normal}}
td.words{min-width:7.5rem}
td.words:first-child{min-width:9rem}
.swatch{display:inline-block;width:2.2em;height:1.1em;vertical-align:-.15em;margin-right:.5em;
 border:1px solid var(--line);border-radius:2px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
td small,dd small{display:block;color:var(--soft);font-size:.8rem}
.bar{display:block;height:.45rem;min-width:7rem;margin-top:.2rem;border-radius:1px;
 print-color-adjust:exact;-webkit-print-color-adjust:exact;--m:color-mix(in srgb,var(--hue) 45%,var(--ground));
 background:linear-gradient(var(--ink),var(--ink)) var(--v) 0/2px 100% no-repeat,
 linear-gradient(90deg,var(--hue) var(--l,var(--v)),var(--m) 0 var(--h,var(--v)),var(--line) 0)}
.legend{list-style:none;margin:0 0 1rem;padding:0;display:flex;flex-wrap:wrap;gap:.3rem 1.6rem;font-size:.925rem}
figure{margin:0;min-width:0}
figcaption{font-size:.85rem;line-height:1.45;color:var(--soft);padding-top:.4rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,25rem),1fr));gap:2rem 2.5rem;
 margin:0 0 1.75rem}
.figures figure{max-width:32rem}
svg{display:block;width:100%;height:auto;overflow:visible;color:var(--ink)}
.pictures{display:grid;gap:1.1rem .9rem;margin:0 0 1.5rem;align-items:start;
 grid-template-columns:repeat(auto-fill,minmax(min(9.6rem,calc(50% - .45rem)),1fr))}
.pictures.large{grid-template-columns:repeat(auto-fill,minmax(min(16rem,100%),1fr))}
.pictures figcaption{white-space:pre-line}
.pictures .several{grid-column:span 2}
.pictures figure>div{position:relative;display:flex;gap:2px;align-items:flex-start}
.pictures img{display:block;min-width:0;flex:1 1 0;width:100%;height:auto;border-radius:3px}
.mark{position:absolute;left:.3rem;top:.3rem;padding:0 .4em;border-radius:3px;font-size:.72rem;
 background:#000b;color:#fff}
@media print{body{font-size:10pt;padding:0;max-width:none} nav a,a{color:inherit} pre{white-space:pre-wrap}
 figure,tr,.warnings li,.facts>div{break-inside:avoid} h2,h3{break-after:avoid} .scroll{overflow:visible}
 .figures{grid-template-columns:1fr 1fr} .pictures{grid-template-columns:repeat(6,1fr)}
 .pictures.large{grid-template-columns:repeat(3,1fr)}}
"""
)
