"""Five hundred texts that would like to be more than text: they change no element and run nothing."""

from __future__ import annotations

import random
import socket
from collections import Counter
from contextlib import suppress

import pytest
from browser.albums import album, card, draw, picture

from flux_pipeline.cli.gallery import _address
from flux_pipeline.report.page import NoThumbnail, Thumbnail, page

pytestmark = pytest.mark.alone

RUN = "alert(1)"
PAYLOADS = [
    f"<script>{RUN}</script>", f"</script><script>{RUN}</script>", f"<!--<script>{RUN}//-->", "<!--", "-->", "]]>", "<![CDATA[",
    f"<img src=x onerror={RUN}>", f"<svg onload={RUN}>", f"<svg><script>{RUN}</script></svg>", "<svg/onload=confirm`1`>",
    f'"><img src=x onerror={RUN}>', f"'><img src=x onerror={RUN}>", f'" onmouseover="{RUN}', f"' onfocus='{RUN}' autofocus='",
    f'" autofocus onfocus={RUN} x="', f"javascript:{RUN}", f"JaVaScRiPt:{RUN}", f" \tjava\nscript:{RUN}", f"data:text/html,<script>{RUN}</script>",
    "vbscript:msgbox(1)", "//evil.example/x.js", "https://evil.example/x.png", "file:///etc/passwd", "../../../../etc/passwd",
    "{{ 7 * 7 }}", "{% raw %}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "{{constructor.constructor('alert(1)')()}}",
    "</style><style>*{display:none}</style>", "}*{background:url(//evil.example)}", "@import '//evil.example/x.css';", "expression(alert(1))",
    "</title><title>gone", "</textarea><b>", "</head></html>", "<base href=//evil.example>", "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<iframe srcdoc='<script>alert(1)</script>'>", "<object data=//evil.example>", "<form action=//evil.example><input>", "<a href=javascript:alert(1)>x</a>",
    "<math><mtext><script>alert(1)</script>", "<template><script>alert(1)</script></template>", "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<link rel=stylesheet href=//evil.example>", "<details open ontoggle=alert(1)>", "<plaintext>", "<xmp>", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;img src=x onerror=alert(1)&#62;", "&amp;lt;b&amp;gt;", "&NewLine;&Tab;&colon;", "%3Cscript%3Ealert(1)%3C/script%3E", "\\u003cscript\\u003ealert(1)",
    "\u2028alert(1)\u2029", "\x00<script\x00>alert(1)</script>", "\x1b[31mred\x1b]0;title\x07", "\u202egnp.exe\u202c", "\u2066\u2067<b>\u2069", "\ufeff<b>",
    "\ud800lone", "\x80\x9f", "\r\n\r\n<b>", "`;alert(1);//", "';alert(1);//", '";alert(1);//', "\\';alert(1);//", "*/alert(1)/*", "__proto__", "constructor", "toString",
    "'\"`<>&;=/\\", "<" * 300, "&" * 300, '"' * 300, "﹤script﹥alert(1)", "＜script＞alert(1)", "+ADw-script+AD4-alert(1)", "<script src=//evil.example></script\n>",
]  # fmt: skip


def payloads(count=500):
    """Return so many different texts: each by itself, then stuck together in twos and threes."""
    dice = random.Random(5)
    texts = dict.fromkeys(PAYLOADS)
    while len(texts) < count:
        texts["".join(dice.sample(PAYLOADS, dice.choice((2, 2, 3))))] = None
    return list(texts)


def built(folder, texts):
    """Write the page of an album in which every text is one of these, and pictures have them for names."""
    folder.mkdir()
    names = [texts[number * 7] for number in range(6)]
    cards, where = [], {}
    fact = draw(folder / "thumbnail.png", 1)
    for at, text in enumerate(texts):
        path = None
        if at % 3:
            path = f"{at}{text.replace('/', '').replace(chr(0), '')[:60]}.png"
            with suppress(OSError, UnicodeEncodeError):
                draw(folder / path, at)
            if not exists(folder / path):
                path = f"{at}.png"
                draw(folder / path, at)
        axes = {name: texts[(at + number) % 9] for number, name in enumerate(names)}
        shown = picture(path, sha256=f"{at:064x}") if path else None
        where[f"{at:064x}"] = NoThumbnail(text) if at % 5 == 0 else Thumbnail("thumbnail.png", fact.width, fact.height)
        cards.append(card(at, text, entry=texts[at // 25], axes=axes, picture=shown))
    made = page(album(cards, manifest=texts[0]), where, lambda name: _address(folder / name, folder))
    file = folder / "gallery.html"
    file.write_bytes(made.encode())
    return file


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return built(tmp_path_factory.mktemp("pages") / "hostile", payloads())


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    return built(tmp_path_factory.mktemp("pages") / "harmless", [f"text {number}" for number in range(500)])


def exists(path):
    try:
        return path.exists()
    except ValueError:
        return False


def elements(page):
    """Count the elements by name, without those of which there are as many as words: marked ones, and where ids may break."""
    return Counter(page.evaluate("() => [...document.querySelectorAll(':not(mark, wbr)')].map((one) => one.nodeName)"))


def attributes(page):
    names = page.evaluate("() => [...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())")
    return {name for name in names if not name.startswith("data-")} | {"style" if "style" in names else ""}


def tour(page):
    """Use every part of the page, and yield how many elements of each name there are after each."""
    page.locator(".js").wait_for()
    page.wait_for_function("() => document.querySelectorAll('.card').length === 500")
    yield elements(page)
    for at in (0, 1, 2, 61, 62, 125, 250, 499):
        page.evaluate("(at) => document.querySelector(`#card-${at} .open`).click()", at)
        page.locator("dialog[open]").wait_for()
        yield elements(page)
        page.keyboard.press("Escape")
    page.evaluate("() => document.querySelectorAll('.mark').forEach((one, at) => at % 40 || one.click())")
    page.get_by_role("button", name="Compare", exact=True).click()
    yield elements(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Clear marks").click()
    page.locator("#rows-axis").select_option(index=1)
    page.locator("#columns-axis").select_option(index=2)
    page.wait_for_function(
        "() => document.querySelectorAll('.matrix:not([hidden])').length === 20 && !document.querySelector('.grid')"
    )
    yield elements(page)
    if not page.locator(".chip").last.is_visible():
        page.locator("summary").click()
    page.locator(".chip").last.click()
    page.wait_for_function("() => location.hash.includes('is.')")
    page.reload()
    page.locator(".js").wait_for()


def test_hostile_texts_change_no_element_and_run_nothing(harmless, hostile, screen):
    plain, bad = screen(harmless), screen(hostile)
    for expected, found in zip(tour(plain), tour(bad), strict=True):
        assert found - expected == expected - found == Counter()
    assert attributes(bad) == attributes(plain)
    assert "style" not in attributes(bad)
    assert not {name for name in attributes(bad) if name.startswith("on")}
    assert bad.title() == f"Gallery of {PAYLOADS[0].rsplit('/', maxsplit=1)[-1]}"


def test_a_hostile_text_is_shown_as_it_is(hostile, screen):
    texts = payloads()
    bad = screen(hostile)
    shown = bad.evaluate(
        "() => JSON.parse(document.getElementById('album').textContent).cards.map((one) => one.prompt)"
    )
    assert [text for text, said in zip(texts, shown, strict=True) if text != said and "\ud800" not in text] == []
    prompts = bad.evaluate("() => [...document.querySelectorAll('.card .prompt')].map((one) => one.textContent)")
    readable = [at for at, text in enumerate(texts) if text.isprintable()]
    assert len(readable) > 300
    assert [at for at in readable if prompts[at] != texts[at]] == []


def test_a_file_with_a_hostile_name_is_shown(hostile, screen):
    bad = screen(hostile)
    for at in (7, 8, 31, 32, 61, 62):
        bad.evaluate("(at) => document.querySelector(`#card-${at} .open`).click()", at)
        bad.locator("dialog img").evaluate("(one) => one.decode()")
        assert "/hostile/" in bad.locator("dialog img").evaluate("(one) => one.src"), "the file, not its thumbnail"
        bad.keyboard.press("Escape")


def received(server):
    """Return everything that was sent to a server by whoever has connected and is gone."""
    said = b""
    with suppress(BlockingIOError):
        while True:
            with server.accept()[0] as connection:
                connection.settimeout(2)
                with suppress(TimeoutError):
                    said += connection.recv(1 << 16)
    return said


def test_the_policy_lets_nothing_in_that_is_not_of_the_page(harmless, browser):
    """The guard itself is tried: what a text would do if it became an element is refused by the browser."""
    with socket.create_server(("127.0.0.1", 0)) as outside:
        outside.setblocking(False)
        context = browser.new_context()
        page = context.new_page()
        page.goto(harmless.as_uri())
        page.evaluate(
            """async (outside) => {
            window.ran = [];
            const put = (html) => document.body.insertAdjacentHTML("beforeend", html);
            put("<img src=x:y onerror='ran.push(1)'><p id=styled style='color: rgb(1, 2, 3)'>x</p>");
            put(`<iframe src='${outside}'></iframe><img src='${outside}/x.png'><link rel=stylesheet href='${outside}/x.css'>`);
            put(`<form action='${outside}' id=sent></form><base href='${outside}'>`);
            const script = document.createElement("script");
            script.textContent = "ran.push(2)";
            document.body.append(script);
            document.getElementById("sent").submit();
            await fetch(outside).catch(() => {}); }""",
            f"http://127.0.0.1:{outside.getsockname()[1]}",
        )
        assert page.evaluate("() => ran") == []
        assert page.evaluate("() => document.baseURI") == harmless.as_uri()
        assert page.evaluate("() => getComputedStyle(document.getElementById('styled')).color") != "rgb(1, 2, 3)"
        context.close()
        assert received(outside) == b"", "a browser may connect before it refuses, and says nothing then"
