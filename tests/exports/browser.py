"""A headless Chromium, spoken to over a pipe (DevTools protocol), with nothing but Python's own library."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PAPER = (1280, 900), (794, 1123)


def program():
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One browser, one page. Every request, message of the console, dialog and error is kept."""

    def __init__(self):
        self.profile = tempfile.mkdtemp(prefix="hostkin-browser-")
        to_child, ours_out = os.pipe()
        ours_in, from_child = os.pipe()
        arguments = [program(), "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                     "--no-first-run", "--disable-extensions", "--disable-background-networking", "--disable-component-update",
                     "--hide-scrollbars", f"--user-data-dir={self.profile}", "about:blank"]

        def hand_over():
            # The browser reads from descriptor 3 and writes to 4; both moved out of the way first.
            reading, writing = os.dup(to_child), os.dup(from_child)
            high = [os.dup2(reading, 103), os.dup2(writing, 104)]
            for descriptor, place in zip(high, (3, 4)):
                os.dup2(descriptor, place)

        self.process = subprocess.Popen(arguments, preexec_fn=hand_over, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_child)
        os.close(from_child)
        self.out, self.into, self.rest, self.number = ours_out, ours_in, b"", 0
        self.events, self.session = [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)
        os.close(self.out)
        os.close(self.into)
        shutil.rmtree(self.profile, ignore_errors=True)

    def message(self, within):
        """The next message, or None when there is none in time."""
        until = time.monotonic() + within
        while b"\0" not in self.rest:
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.into], [], [], left)[0]:
                return None
            more = os.read(self.into, 1 << 20)
            if not more:
                raise RuntimeError("the browser went away")
            self.rest += more
        text, self.rest = self.rest.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, within=120, **params):
        self.number += 1
        whole = {"id": self.number, "method": method, "params": params, **({"sessionId": self.session} if self.session else {})}
        data = json.dumps(whole).encode() + b"\0"
        while data:
            data = data[os.write(self.out, data):]
        while True:
            message = self.message(within)
            if message is None:
                raise RuntimeError(f"no answer to {method}")
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)
            if message.get("method") == "Page.javascriptDialogOpening":
                raise RuntimeError(f"the page opened a dialog: {message['params'].get('message')}")

    def open(self, path: Path):
        """Opens a file and waits until it is laid out. Seconds that took."""
        self.events.clear()
        began = time.monotonic()
        self.call("Page.navigate", url=path.resolve().as_uri())
        until = began + 120
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            message = self.message(max(0.1, until - time.monotonic()))
            if message is None:
                raise RuntimeError(f"{path} does not finish loading")
            self.events.append(message)
        self.ask("document.body.getBoundingClientRect().height")
        return time.monotonic() - began

    def ask(self, expression):
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def look(self, size, dark=False, paper=False):
        """Sets the window, the scheme of colours and the medium."""
        self.call("Emulation.setDeviceMetricsOverride", width=size[0], height=size[1], deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen",
                  features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def picture(self, at=0, size=DESKTOP):
        """A PNG of what stands `at` pixels below the page's begin."""
        clip = {"x": 0, "y": at, "width": size[0], "height": size[1], "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"])

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])

    def said(self):
        """What the console and the log said since the page was opened."""
        methods = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [json.dumps(event["params"])[:300] for event in self.events if event.get("method") in methods]

    def asked_for(self):
        """What the page wanted from elsewhere."""
        sent = [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [url[:200] for url in sent if not url.startswith(("file:", "data:"))] + [url for url in sent if url.startswith("file:")][1:]
