"""How long a request to `tfgen serve` takes, at several rates; or what memory the server has after many.

Usage: python benchmarks/serving.py MODEL [SECONDS]
       python benchmarks/serving.py MODEL --requests COUNT

Each request asks for 50 characters at temperature 0.8, with a connection and a seed of its own, so that all share a
batch. They come at random instants (a Poisson process), for SECONDS (20) at each rate, whether or not those before were
answered. Client and server share the machine, which is Linux.

With --requests, eight clients ask one after another for 5 tokens, with prompts, numbers of texts and settings that
differ; one of ten wants what is refused, and one of ten leaves before its answer.
"""

import concurrent.futures
import http.client
import json
import random
import re
import statistics
import subprocess
import sys
import time

RATES = (5, 20, 50)
LENGTH = 50


def main(model: str, seconds: str = "20", count: str = "10000") -> None:
    """Print a Markdown table."""
    command = [sys.executable, "-m", "tfgen", "serve", model, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            port = int(re.search(r":(\d+)/", server.stdout.readline())[1])
            name = re.search(r'"id":"(.*?)"', ask(port, "GET", "/v1/models"))[1]
            for seed in range(20):
                one(port, name, seed)
            if seconds == "--requests":
                tell_memory(port, name, int(count))
                return
            print("| requests/s | answered | p50, ms | p95, ms | p99, ms | texts in a turn | processor, ms a request |")
            print("|---|---|---|---|---|---|---|")
            for rate in RATES:
                print(measured(port, name, rate, float(seconds)), flush=True)
        finally:
            server.terminate()


def tell_memory(port, name, count):
    print("| requests | resident memory of the server, MB |")
    print("|---|---|")
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        for done in range(0, count + 1, max(count // 10, 1)):
            if done:
                list(clients.map(lambda i: any_kind(port, name, i), range(done - count // 10, done)))
            print(f"| {done:,} | {resident(port):.0f} |", flush=True)


def any_kind(port, name, number):
    body = {"model": name, "prompt": "", "max_tokens": 5, "n": 1 + number % 3, "temperature": 0.5 + number % 7 / 10}
    if number % 10 == 3:
        body["max_tokens"] = -1
    if number % 10 == 6:
        body["max_tokens"], body["stream"] = 4000, True
    if number % 4 == 1:
        body["top_k"] = 5 + number % 9
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/v1/completions", json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    if "stream" in body:
        answer.read(20)
    else:
        answer.read()
    connection.close()


def resident(port):
    text = ask(port, "GET", "/metrics")
    return float(re.search(r"^process_resident_memory_bytes (\S+)$", text, re.MULTILINE)[1]) / 1e6


def measured(port, name, rate, seconds):
    rng, before = random.Random(rate), numbers(port)
    begun, due, waiting = time.perf_counter(), 0.0, []
    with concurrent.futures.ThreadPoolExecutor(128) as clients:
        while (due := due + rng.expovariate(rate)) < seconds:
            time.sleep(max(begun + due - time.perf_counter(), 0))
            waiting.append(clients.submit(one, port, name, len(waiting)))
        taken = [future.result() for future in waiting]
    p50, p95, p99 = (1000 * statistics.quantiles(taken, n=100)[place] for place in (49, 94, 98))
    rows, count, spent = (after - earlier for after, earlier in zip(numbers(port), before, strict=True))
    times = " | ".join(f"{each:.0f}" for each in (p50, p95, p99))
    return f"| {rate} | {len(taken):,} | {times} | {rows / count:.1f} | {1000 * spent / len(taken):.0f} |"


def one(port, name, seed):
    begun = time.perf_counter()
    body = {"model": name, "prompt": "", "max_tokens": LENGTH, "temperature": 0.8, "seed": seed}
    ask(port, "POST", "/v1/completions", json.dumps(body))
    return time.perf_counter() - begun


def numbers(port):
    text = ask(port, "GET", "/metrics")
    names = ("tfgen_turn_rows_sum", "tfgen_turn_rows_count", "process_cpu_seconds_total")
    return [float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1]) for name in names]


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"status {answer.status}: {text}")
    return text


if __name__ == "__main__":
    main(*sys.argv[1:])
