from __future__ import annotations

import pytest

from flux_pipeline.wiro.cdn_url import Allowed, Refused, address_allowed, judge

ODD = [
    "https://0x7f000001/x.png",
    "https://0x7f.1/x.png",
    "https://127.1/x.png",
    "https://2130706433/x.png",
    "https://0177.0.0.1/x.png",
    "https://017700000001/x.png",
    "https://127.0.0.01/x.png",
    "https://[::ffff:127.0.0.1]/x.png",
    "https://[::127.0.0.1]/x.png",
    "https://[64:ff9b::7f00:1]/x.png",
    "https://[2002:7f00:1::]/x.png",
    "https://[fe80::1%25eth0]/x.png",
    "https://[::1/x.png",
    "https://127.0.0.1./x.png",
    "https://cdn1.wiro.ai@evil.com/x.png",
    "https://user:word@cdn1.wiro.ai/x.png",
    "https://cdn1.wiro.ai\\@evil.com/x.png",
    "https://cdn1.wiro.ai%2f@evil.com/x.png",
    "https://cdn1.wiro.ai%2eevil.com/x.png",
    "https://cdn1.wiro.ai%00.evil.com/x.png",
    "https://cdn1.wiro.ai./x.png",
    "https://cdn1..wiro.ai/x.png",
    "https://-cdn.wiro.ai/x.png",
    "https://ｃdn.wiro.ai/x.png",
    "https://cdn。wiro.ai/x.png",
    "https://①②⑦.0.0.1/x.png",
    "https:///x.png",
    "https:/cdn1.wiro.ai/x.png",
    "https:cdn1.wiro.ai/x.png",
    "//cdn1.wiro.ai/x.png",
    "/x.png",
    "",
    " https://cdn1.wiro.ai/x.png",
    "https://cdn1.wiro.ai/x.png\r\nHost: evil.com",
    "https://cdn1.wiro.ai/a b.png",
    "https://cdn1.wiro.ai/\u202egnp.x",
    "https://cdn1.wiro.ai/\ud800.png",
    "https://cdn1.wiro.ai:0/x.png",
    "https://cdn1.wiro.ai:65536/x.png",
    "https://cdn1.wiro.ai:443x/x.png",
    "https://cdn1.wiro.ai:-1/x.png",
    "https://cdn1.wiro.ai:/x.png",
    "https://cdn1.wiro.ai:٤٤٣/x.png",
    "https://cdn1.wiro.ai/" + "x" * 4096,
    "https://" + "x." * 130 + "com/x.png",
    "https://router/x.png",
    "https://metadata.google.internal/x.png",
    "https://a.localhost/x.png",
    "https://printer.local/x.png",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/x.png",
    "https://192.168.1.1/x.png",
    "https://172.16.0.1/x.png",
    "https://100.64.0.1/x.png",
    "https://0.0.0.0/x.png",
    "https://224.0.0.1/x.png",
    "https://255.255.255.255/x.png",
    "https://[::]/x.png",
    "https://[fe80::1]/x.png",
    "https://[fd00::1]/x.png",
    "https://[]/x.png",
    "file:///etc/passwd",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "ftp://cdn1.wiro.ai/x.png",
    "http://cdn1.wiro.ai/x.png",
    "http://8.8.8.8/x.png",
]

LOOPBACK = [
    "http://127.0.0.1:8080/x.png",
    "http://127.8.9.10/x.png",
    "http://localhost:1/x.png",
    "http://[::1]:8080/x.png",
    "https://127.0.0.1/x.png",
    "https://localhost/x.png",
    "https://LOCALHOST/x.png",
]


@pytest.mark.parametrize("api_is_loopback", [False, True])
@pytest.mark.parametrize("url", ODD)
def test_an_odd_or_inward_url_is_refused_whatever_the_api_is(url, api_is_loopback):
    assert isinstance(judge(url, api_is_loopback=api_is_loopback), Refused)


@pytest.mark.parametrize("url", LOOPBACK)
def test_this_machine_is_allowed_only_when_the_api_is_on_it_too(url):
    assert isinstance(judge(url, api_is_loopback=True), Allowed)
    assert isinstance(judge(url, api_is_loopback=False), Refused)


@pytest.mark.parametrize(
    ("url", "normal", "host", "port"),
    [
        ("https://cdn1.wiro.ai/a/0.png", "https://cdn1.wiro.ai/a/0.png", "cdn1.wiro.ai", 443),
        ("HTTPS://CDN1.Wiro.AI:443/A.png#top", "https://cdn1.wiro.ai/A.png", "cdn1.wiro.ai", 443),
        ("https://cdn1.wiro.ai:8443?x=%2F+1", "https://cdn1.wiro.ai:8443/?x=%2F+1", "cdn1.wiro.ai", 8443),
        ("https://cdn1.wiro.ai", "https://cdn1.wiro.ai/", "cdn1.wiro.ai", 443),
        ("https://cdn1.wiro.ai.evil.com/x", "https://cdn1.wiro.ai.evil.com/x", "cdn1.wiro.ai.evil.com", 443),
        (
            "https://my_bucket.s3.amazonaws.com/@a/x?s=a/b:c|'\"",
            "https://my_bucket.s3.amazonaws.com/@a/x?s=a/b:c|'\"",
            "my_bucket.s3.amazonaws.com",
            443,
        ),
        (
            "https://xn--bcher-kva.example/ü.png",
            "https://xn--bcher-kva.example/%C3%BC.png",
            "xn--bcher-kva.example",
            443,
        ),
        ("https://8.8.8.8/x", "https://8.8.8.8/x", "8.8.8.8", 443),
        ("https://[2606:4700:0::1111]/x", "https://[2606:4700::1111]/x", "2606:4700::1111", 443),
    ],
)
def test_a_public_https_url_is_allowed_in_its_normal_form_with_its_signature_untouched(url, normal, host, port):
    assert judge(url, api_is_loopback=False) == Allowed(url=normal, scheme="https", host=host, port=port)
    assert judge(normal, api_is_loopback=True) == Allowed(url=normal, scheme="https", host=host, port=port)


def test_a_refusal_never_quotes_the_url():
    for url in ODD:
        verdict = judge(url, api_is_loopback=False)
        assert isinstance(verdict, Refused)
        assert not url or url not in verdict.reason


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_may_be_connected_to(address):
    assert address_allowed(address, api_is_loopback=False)
    assert address_allowed(address, api_is_loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "10.1.2.3", "172.31.0.1", "192.168.0.1", "100.64.0.1", "0.0.0.0", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1",
        "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1", "2002:a00:1::", "::8.8.8.8", "2001::1", "", "localhost", "127.1",
    ],
)  # fmt: skip
def test_an_inward_address_is_never_connected_to(address):
    assert not address_allowed(address, api_is_loopback=False)
    assert not address_allowed(address, api_is_loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"])
def test_the_loopback_address_may_be_connected_to_only_when_the_api_is_there(address):
    assert address_allowed(address, api_is_loopback=True)
    assert not address_allowed(address, api_is_loopback=False)
