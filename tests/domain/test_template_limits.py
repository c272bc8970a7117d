"""Templates that want all the memory and time there is, in a process that has little of both."""

import json
import subprocess
import sys

import pytest

from console.domain.errors import TransformError
from console.domain.template_values import Fault, size_of
from console.domain.templating import check_transform, render
from console.domain.transform import Subject, Transform

ADDRESS_SPACE_BYTES = 1 << 30
CPU_S = 120
"""Each takes a fraction of a second; a hang is to end here."""

GREEDY = {
    "text repeated": '{{ "x" * 1000000000 }}',
    "list repeated": "{{ [1] * 1000000000 }}",
    "repeated and searched": "{{ 1 in [0] * 1000000000000 }}",
    "range": "{% for i in range(1000000000) %}a{% endfor %}",
    "loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "many loops": "{% for a in range(10) %}" * 16 + "{% endfor %}" * 16,
    "copied text": "{% for a in range(9999) %}" + "x" * 30000 + "{% endfor %}",
    "joined": "{% set x = 'aaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 60 + "{{ x }}",
    "captured": "{% set x %}aaaaaaaaaa{% endset %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 60,
    "lists of lists": "{% set x = [1] %}" + "{% set x = [x, x, x, x] %}" * 60 + "{{ x }}",
    "mappings": "{% set x = {'a': 1} %}" + "{% set x = {'a': x, 'b': x, 'c': x, 'd': x} %}" * 60 + "{{ x | tojson }}",
    "lists added": "{% set x = [1, 2, 3, 4] %}" + "{% set x = x + x %}" * 60,
    "power": "{{ 9 ** 64 ** 64 }}",
    "products": "{% set x = 99999999999 %}" + "{% set x = x * x %}" * 60,
    "beyond numbers": "{{ 1e300 * 1e300 }}",
    "the payload again and again": "{% for i in range(9999) %}{{ payload | tojson }}{% endfor %}",
    "the payload kept": "{% for i in range(9999) %}{% set a = payload | tojson %}{% endfor %}",
    "replaced": "{{ payload.text | replace('x', payload.text) }}",
    "put between": "{{ payload.list | join(payload.text) }}",
    "truncated": "{{ 'a' | truncate(1000000000) }}",
    "indented": "{{ payload | tojson(1000000000) }}",
    "rounded": "{{ 1.5 | round(1000000000) }}",
    "formatted": "{{ 1 | date('%999999999Y') }}",
    "searched": "{% for i in range(9999) %}{% if 3 in payload.list %}{% endif %}{% endfor %}",
    "compared": "{% for i in range(9999) %}{% if payload == payload %}{% endif %}{% endfor %}",
    "hashed": "{% for i in range(9999) %}{% set a = payload.text | sha256 %}{% endfor %}",
    "split": "{% for i in range(9999) %}{% set a = payload.text | split('x') %}{% endfor %}",
    "unique": "{% for i in range(9999) %}{% set a = payload.list | unique %}{% endfor %}",
    "sorted": "{% for i in range(9999) %}{% set a = payload.list | map('n') | sort %}{% endfor %}",
    "found": "{% for i in range(9999) %}{% set a = payload.list | where('n', 1) %}{% endfor %}",
    "parentheses": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "brackets": "{{ " + "[" * 5000 + "]" * 5000 + " }}",
    "ors": "{{ " + "1 or " * 5000 + "1 }}",
    "helpers": "{{ 1" + " | string" * 2500 + " }}",
    "choices": "{{ " + "1 if 1 else " * 2500 + "1 }}",
    "path": "{{ payload" + ".a" * 10000 + " }}",
    "subscripts": "{{ payload" + "[0]" * 5000 + " }}",
    "branches": "{% if 0 %}" + "{% elif 0 %}" * 2500 + "{% endif %}",
    "digits": "{{ 1" + "0" * 10000 + " }}",
    "json in text": "{{ '" + "[" * 5000 + "]" * 5000 + "' | fromjson }}",
    "macro": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "recursion": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
}

PROGRAM = f"""
import json, resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({ADDRESS_SPACE_BYTES}, {ADDRESS_SPACE_BYTES}))
resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
from console.domain.errors import InvalidInputError, TransformError
from console.domain.templating import check_transform, render
from console.domain.transform import Subject, Transform
from console.domain import template_values
template_values.WORK_MAX //= 8  # what is looked for is that each way of spending it is counted
payload = json.dumps({{"text": "x" * 200_000, "list": [{{"n": n}} for n in range(20_000)]}}).encode()
subject = Subject(event_id="e", event_type="t", accepted_at_ms=0, payload=payload, endpoint_name="n")
for name, text in json.load(sys.stdin).items():
    print(name, flush=True, end=": ")
    try:
        render(check_transform(Transform(body=text, content_type="text/plain")), subject, "https://example.com/")
        print("rendered")
    except InvalidInputError as error:
        print("refused")
    except TransformError as error:
        print("failed")
# Of this program alone: what getrusage says begins with the size of whoever started it.
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_greedy_templates_end_in_little_memory_and_time() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(GREEDY), capture_output=True, text=True, check=False
    )
    *lines, peak_kib = ran.stdout.splitlines()
    assert ran.returncode == 0, ran.stdout[-200:] + ran.stderr[-2000:]
    said = dict(line.split(": ") for line in lines)
    assert set(said) == set(GREEDY)
    assert [name for name, end in said.items() if end == "rendered"] == []
    assert int(peak_kib) < 200 * 1024


def test_a_payload_of_many_things_is_gone_through() -> None:
    lines = [{"sku": f"s{n}", "count": n, "price": n * 100, "paid": n % 2 == 0} for n in range(1000)]
    body = """{% for line in payload.lines %}{{ loop.index }} {{ line.sku }} {{ line.sku | upper }} {{ line.count }}
    {{ line.price | money('EUR') }} {{ line.paid }} {% if line.count > 5 and line.paid %}{{ line.price * 2 }}{% endif %}
    {% endfor %}"""
    told = Subject(
        event_id="e",
        event_type="t",
        accepted_at_ms=0,
        payload=json.dumps({"lines": lines}).encode(),
        endpoint_name="n",
    )
    made = render(check_transform(Transform(body=body, content_type="text/plain")), told, "https://example.com/")
    assert b"1000 s999 S999 999" in made.body


def test_a_body_may_be_as_large_as_a_payload_and_no_larger() -> None:
    def sized(size: int) -> bytes:
        told = Subject(
            event_id="e",
            event_type="t",
            accepted_at_ms=0,
            payload=json.dumps("x" * size).encode(),
            endpoint_name="n",
        )
        return render(Transform(body="{{ payload }}é", content_type="text/plain"), told, "https://example.com/").body

    assert len(sized(1024 * 1024 - 2)) == 1024 * 1024
    with pytest.raises(TransformError, match="at most 1,048,576 are allowed"):
        sized(1024 * 1024 - 1)


def test_what_is_too_large_is_known_before_it_is_counted_out() -> None:
    shared: list[object] = [1]
    for _ in range(60):
        shared = [shared, shared]
    with pytest.raises(Fault, match="too large"):
        size_of(shared, 1000)
