"""What DingTalk sees of the bot: calls against their limits, connections, acknowledgements, broken rules."""

import time
from collections import Counter
from collections.abc import Sequence

from bots.sandbox.gateway import Gateway
from bots.sandbox.journal import Call
from bots.sandbox.pushes import Push
from bots.sandbox.wire import Json

SECONDS = 60  # of calls that are drawn
_SHOWN_CALLS = 24
_SHOWN_ACKS = 12
_FREE = {"open", "connect", "token", "webhook", "robot_send", "file"}  # not counted against the month's calls


def figures(gateway: Gateway) -> Json:
    """Nothing in it changes by itself but what is drawn of the last minute."""
    limits, usage = gateway.limits, gateway.usage
    acks = _acks(gateway.pushes)
    return {
        "connections": len(gateway.connections),
        "qps": limits.qps,
        "busiest": _busiest(gateway.calls, gateway.clock.now()),
        "month": usage.month,
        "calls": usage.calls,
        "calls_limit": limits.monthly_calls,
        "messages": usage.messages,
        "messages_limit": limits.monthly_messages,
        "throttled": sum(call.throttled for call in gateway.calls),
        "acks": [round(ms, 1) for ms in acks[-_SHOWN_ACKS:]],
        "ack_p95": round(_p95(acks), 1) if acks else None,
        "clicks": [round(ms, 1) for ms in _clicks(gateway.pushes)[-_SHOWN_ACKS:]],
        "violations": gateway.violations[-20:],
        "violation_count": len(gateway.violations),
        "warnings": len(gateway.warnings),
        "minute": _minute(gateway.calls),
        "last": [_call(call) for call in gateway.calls[-_SHOWN_CALLS:] if call.ms is not None],
        "ahead": round(gateway.clock.now() - time.time()),
    }


def _busiest(calls: Sequence[Call], now: float) -> int:
    """Calls of one API in the last second, of the API that had most."""
    last = Counter(call.route for call in calls[-200:] if call.route not in _FREE and call.time > now - 1)
    return max(last.values(), default=0)


def _minute(calls: Sequence[Call]) -> list[tuple[int, int, int]]:
    """Second by the real clock, calls, and those that were refused for their rate."""
    offset = time.time() - time.monotonic()
    found: Counter[int] = Counter()
    refused: Counter[int] = Counter()
    for call in reversed(calls):
        second = int(call.started + offset)
        if second < time.time() - SECONDS:
            break
        if call.route in _FREE and call.route != "webhook":
            continue
        found[second] += 1
        refused[second] += call.throttled
    return [(second, found[second], refused[second]) for second in sorted(found)]


def _acks(pushes: Sequence[Push]) -> list[float]:
    """Milliseconds of the first acknowledgement of each message and event."""
    return [push.ack_ms for push in pushes if push.card_id is None and push.ack_ms is not None]


def _clicks(pushes: Sequence[Push]) -> list[float]:
    return [push.response_ms for push in pushes if push.response_ms is not None]


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * 0.95))]


def _call(call: Call) -> Json:
    return {
        "route": call.route,
        "status": call.status,
        "code": call.code if call.code not in ("", "0") else "",
        "ms": round(call.ms or 0),
        "fault": bool(call.fault),
        "at": round(call.time * 1000),
    }
