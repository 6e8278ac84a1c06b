"""The shop in containers, as `docker compose up` brings it up: what a person does with it, and what they never see.

It runs under a project name and on ports of its own, and leaves nothing behind, however it ends. `make compose-test`.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

PROJECT = f"shop-test-{os.getpid()}"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SERVICES = {"user", "product", "product-2", "order", "payment"}
PATIENCE = 60.0  # seconds until something that has to happen must have happened


class Shop:
    """The containers, and a client in front of their door."""

    def __init__(self) -> None:
        self.port, self.console = free_ports(2)
        self.env = os.environ | {
            "GATEWAY_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "CONSOLE_PORT": str(self.console),
            # Many tests are one address here, and one principal.
            "LOGIN_RATE": "6000/1m",
            "LOGIN_BURST": "1000",
            "PRINCIPAL_RATE": "60000/1m",
            "PRINCIPAL_BURST": "10000",
        }

    def compose(self, *words: str) -> str:
        """Runs one command of compose; what it complains about goes to the terminal."""
        line = ["docker", "compose", "--project-name", PROJECT, "--progress", "quiet", *words]
        done = subprocess.run(line, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"docker compose {' '.join(words)} ended with {done.returncode}")
        return done.stdout

    def call(self, method: str, path: str, body=None, token=None, key=None, port=None):
        """One request on a connection of its own: (status, headers, body)."""
        headers = {"Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if key:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=15)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            return answer.status, answer.headers, json.loads(text) if text.startswith(("{", "[")) else text
        finally:
            connection.close()

    def expect(self, status: int, method: str, path: str, **more):
        """As `call`, and the status must be this one; answers the body."""
        seen, _, body = self.call(method, path, **more)
        must(seen == status, f"{method} {path}: {status}, but it is {seen}: {body}")
        return body

    def login(self) -> str:
        return self.expect(
            200, "POST", "/api/auth/login", body={"email": "ada@example.com", "password": "correct-horse"}
        )["accessToken"]


class Failed(Exception):
    """The shop is not as it must be."""


def must(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def until(what: str, condition) -> None:
    """Waits until the condition holds; a connection that fails is a condition that does not."""
    end = time.monotonic() + PATIENCE
    last = None
    while time.monotonic() < end:
        try:
            if condition():
                return
            last = None
        except (OSError, http.client.HTTPException, Failed) as error:
            last = error
        time.sleep(0.1)
    raise Failed(f"not within {PATIENCE:.0f} s: {what}" + (f" ({last})" if last else ""))


def everything_is_up(shop: Shop) -> None:
    """Every container is healthy, and none may do more than it needs."""
    rows = shop.compose("ps", "--all", "--format", "{{.Service}} {{.Health}}").split("\n")
    seen = dict(row.split() for row in rows if row)
    must(seen == {name: "healthy" for name in SERVICES | {"gateway"}}, f"all are healthy, but {seen}")
    for container in containers(shop):
        name = container["Config"]["Labels"]["com.docker.compose.service"]
        host = container["HostConfig"]
        must(host["ReadonlyRootfs"], f"{name}: the root filesystem is read-only")
        must(host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"], f"{name}: no capability")
        must(container["Config"]["User"] not in ("", "0", "root"), f"{name}: not root")
        must(host["Memory"] > 0 and host["PidsLimit"] > 0, f"{name}: memory and processes are limited")
        must(host["RestartPolicy"]["Name"] == "unless-stopped", f"{name}: comes back when it dies")
        sources = [mount.get("Source", "") for mount in container["Mounts"]]
        must(not any("docker.sock" in source for source in sources), f"{name}: no hold on the engine")
        bound = {port["HostIp"] for ports in (container["NetworkSettings"]["Ports"] or {}).values() for port in ports or []}
        must(bound <= {"127.0.0.1"}, f"{name}: published on the loopback only, but {bound}")
        must(bool(bound) == (name == "gateway"), f"{name}: only the gateway is published, but {bound}")
    must(shop.call("GET", "/readyz", port=shop.console)[0] == 200, "the console says that the gateway is ready")


def containers(shop: Shop) -> list[dict]:
    ids = shop.compose("ps", "--all", "--quiet").split()
    return json.loads(subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True, check=True).stdout)


def the_readme_is_true(shop: Shop) -> None:
    """What the README has people paste, pasted."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        lines = "".join(re.findall(r"^```sh\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL))
    env = shop.env | {"GATEWAY": f"http://127.0.0.1:{shop.port}"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", lines], env=env, stdout=subprocess.PIPE, text=True, check=False)
    must(done.returncode == 0, f"the lines of the README work, but: {done.stdout}")
    must("ORDER_STATUS_CONFIRMED" in done.stdout, f"the order of the README is confirmed, but: {done.stdout}")


def an_order_is_paid(shop: Shop) -> str:
    """The same with an eye on the answers. Answers the order's id."""
    token = shop.login()
    ada = shop.expect(200, "GET", "/api/users/123", token=token)
    must(ada["email"] == "ada@example.com", f"user 123 is ada, but {ada}")
    products = shop.expect(200, "GET", "/api/products")["products"]
    must(any(product["id"] == "p-1" for product in products), f"p-1 is on sale, but {products}")
    items = {"items": [{"productId": "p-1", "quantity": 2}]}
    order = shop.expect(200, "POST", "/api/orders", body=items, token=token, key="compose-order")["id"]
    payment = {"orderId": order, "method": "tok_visa"}
    shop.expect(200, "POST", "/api/payments", body=payment, token=token, key="compose-payment")
    until("the order is confirmed", lambda: confirmed(shop, order, token))
    again = shop.expect(200, "POST", "/api/orders", body=items, token=token, key="compose-order")
    must(again["id"] == order, f"the same key is the same order, but {again}")
    return order


def confirmed(shop: Shop, order: str, token: str) -> bool:
    body = shop.expect(200, "GET", f"/api/orders/{order}", token=token)
    must(body["id"] == order and body["userId"] == "123", f"ada's order {order}, but {body}")
    return body["status"] == "ORDER_STATUS_CONFIRMED"


def one_service_down_is_one_service_down(shop: Shop, order: str) -> None:
    """A service that is killed takes its own routes with it, as 503, until it is back."""
    token = shop.login()
    shop.compose("kill", "--signal", "SIGKILL", "order")
    status, headers, problem = shop.call("GET", f"/api/orders/{order}", token=token)
    must(status == 503, f"an order without its service is 503, but {status}: {problem}")
    must(headers["Content-Type"] == "application/problem+json", f"a problem, but {headers}")
    must(problem["status"] == 503 and problem["code"] == "UNAVAILABLE", f"it says what it is, but {problem}")
    must(problem["requestId"] == headers["x-request-id"], f"it says which request it was, but {problem}")
    must("order:50053" not in json.dumps(problem), f"it does not say where services are, but {problem}")
    shop.expect(200, "GET", "/api/users/123", token=token)
    shop.expect(200, "GET", "/api/products/p-1")
    must(shop.call("GET", "/readyz", port=shop.console)[0] == 200, "the gateway stays ready")
    shop.compose("start", "order")
    until("the order is there again", lambda: confirmed(shop, order, token))


def a_restart_forgets_nothing(shop: Shop, order: str) -> None:
    shop.compose("down")
    shop.compose("up", "--detach", "--wait")
    must(confirmed(shop, order, shop.login()), "the order is confirmed after a restart")


def any_shop_is_this_shop(shop: Shop) -> None:
    """The end-to-end tests that look from outside only, against these containers."""
    env = shop.env | {"E2E_TARGET": f"http://127.0.0.1:{shop.port}", "RUST_BACKTRACE": "0"}
    line = ["cargo", "test", "--workspace", "--locked", "--quiet", "--test", "e2e", "any_shop"]
    done = subprocess.run(line, cwd=ROOT, env=env, check=False)
    must(done.returncode == 0, "the end-to-end tests of any shop pass")
    restarts = {container["Name"]: container["RestartCount"] for container in containers(shop)}
    must(not any(restarts.values()), f"nothing died of it, but {restarts}")


def nothing_is_left() -> None:
    mine = f"label=com.docker.compose.project={PROJECT}"
    for kind in ("container", "volume", "network", "image"):
        every = ["--all"] if kind == "container" else []
        line = ["docker", kind, "ls", "--quiet", *every, "--filter", mine]
        left = subprocess.run(line, capture_output=True, text=True, check=True).stdout.split()
        must(not left, f"no {kind} is left, but {left}")


def step(what: str, work, *arguments):
    start = time.monotonic()
    result = work(*arguments)
    print(f"{time.monotonic() - start:7.1f} s  {what}", flush=True)
    return result


def play(shop: Shop) -> None:
    step("the images are built", shop.compose, "build")
    step("everything starts", shop.compose, "up", "--detach", "--wait")
    step("everything is up, and may do no more than it needs", everything_is_up, shop)
    step("the README is true", the_readme_is_true, shop)
    order = step("an order is paid", an_order_is_paid, shop)
    step("the end-to-end tests of any shop pass", any_shop_is_this_shop, shop)
    step("one service down is one service down", one_service_down_is_one_service_down, shop, order)
    step("a restart forgets nothing", a_restart_forgets_nothing, shop, order)


def main() -> int:
    # Whoever ends this test ends it as Ctrl-C would: with everything put away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shop = Shop()
    try:
        play(shop)
    except Failed as failure:
        print(f"compose test: {failure}", file=sys.stderr)
        subprocess.run(["docker", "compose", "--project-name", PROJECT, "logs", "--tail", "10"], cwd=ROOT, env=shop.env, check=False)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        step("everything is put away", shop.compose, "down", "--volumes", "--rmi", "local", "--remove-orphans")
    step("nothing is left", nothing_is_left)
    return 0


if __name__ == "__main__":
    sys.exit(main())
