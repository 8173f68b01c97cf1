"""Caddy and nginx for the scripts of this folder: Debian's packages, with TLS, in front of a local
parlor.

Their settings are those of docs/deploy.md; only ports, certificates and the password's hash are
replaced.
"""

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time

HOST = "chat.example"


def install(*programs):
    missing = [program for program in programs if not shutil.which(program)]
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        sys.exit(f"FAILED: install {', '.join(missing)}, or run this as root on Debian")
    # The packages would start their own servers, on ports 80 and 443.
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        quiet = {
            "stdout": subprocess.DEVNULL,
            "env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            "check": True,
        }
        subprocess.run(["apt-get", "update", "-qq"], **quiet)
        subprocess.run(
            ["apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing], **quiet
        )
    finally:
        if ours:
            policy.unlink()


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def proxy(command, port, log, **environment):
    """Runs a proxy until the end of the `with`. Waits until its port accepts connections."""
    with open(log, "wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **environment}
        )
        try:
            for _ in range(200):
                assert process.poll() is None, f"{command[0]} did not start:\n{log.read_text()}"
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(10)


def certificate(folder):
    """Makes a self-signed certificate, the only one that the clients trust."""
    paths = folder / "certificate.pem", folder / "key.pem"
    request = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        f"/CN={HOST}",
    ]
    request += [
        "-addext",
        f"subjectAltName=DNS:{HOST},DNS:*.{HOST}",
        "-out",
        paths[0],
        "-keyout",
        paths[1],
    ]
    subprocess.run(request, check=True, stderr=subprocess.DEVNULL)
    return paths


@contextlib.contextmanager
def caddy(settings, parlor, folder):
    port, (public, key) = free_port(), certificate(folder)
    settings = settings.replace("127.0.0.1:8080", f"127.0.0.1:{parlor.port}")
    settings = re.sub(
        r"^(\S*chat\.example) {", rf"\1:{port} {{\n\ttls {public} {key}", settings, flags=re.M
    )
    if "PASTE.THE.HASH.HERE" in settings:
        hashed = subprocess.run(
            ["caddy", "hash-password", "--plaintext", "secret"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        settings = re.sub(r"\S+PASTE.THE.HASH.HERE", lambda _: hashed.stdout.strip(), settings)
    (folder / "Caddyfile").write_text(
        "{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + settings
    )
    command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with proxy(
        command, port, folder / "caddy.log", XDG_DATA_HOME=str(folder), XDG_CONFIG_HOME=str(folder)
    ):
        yield port, ssl.create_default_context(cafile=public)


@contextlib.contextmanager
def nginx(settings, parlor, folder):
    port, (public, key) = free_port(), certificate(folder)
    hashed = subprocess.run(
        ["openssl", "passwd", "-6", "secret"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    (folder / "htpasswd").write_text(f"ada:{hashed}\n")
    for there, here in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        f"/etc/ssl/{HOST}.pem": public,
        f"/etc/ssl/{HOST}.key": key,
        "/etc/nginx/parlor.htpasswd": folder / "htpasswd",
        "127.0.0.1:8080": f"127.0.0.1:{parlor.port}",
    }.items():
        settings = settings.replace(there, str(here))
    scratch = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    )
    user = "user root;\n" if os.geteuid() == 0 else ""
    around = f"{user}daemon off;\npid {folder}/pid;\nworker_processes 1;\nevents {{}}\nhttp {{\naccess_log off;\n{scratch}{settings}}}\n"
    (folder / "nginx.conf").write_text(around)
    command = ["nginx", "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    with proxy(command, port, folder / "nginx.log"):
        yield port, ssl.create_default_context(cafile=public)


def get(port, tls, path, *headers, host=HOST):
    """Requests a path over TLS as a browser does. Returns status, headers and body."""
    connection = http.client.HTTPSConnection(host, port, context=tls, timeout=10)
    # The name has no address; the proxy is on this machine.
    connection._create_connection = lambda address, *rest: socket.create_connection(
        ("127.0.0.1", port), 10
    )
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    for header in headers:
        connection.putheader(*header.split(": ", 1))
    connection.endheaders()
    answer = connection.getresponse()
    result = answer.status, dict(answer.getheaders()), answer.read().decode(errors="replace")
    connection.close()
    return result


def check_page(port, tls, below, *headers, host=HOST):
    """Checks that the page and each file that it names are served."""
    status, fields, page = get(port, tls, f"{below}/", *headers, host=host)
    assert status == 200 and fields["Content-Type"].startswith("text/html"), (status, fields)
    # "./" is the page itself.
    links = re.findall(r'(?:src|href)="([^"#:]+)"', page)
    assets = [asset for asset in dict.fromkeys(links) if asset != "./"]
    assert assets and not any(asset.startswith("/") for asset in assets), (
        f"the page's addresses must be relative: {assets}"
    )
    for asset in assets:
        status, _, _ = get(port, tls, f"{below}/{asset}", *headers, host=host)
        assert status == 200, (asset, status)
    assert any(asset.endswith("/app/main.js") for asset in assets), (
        f"the search for the page's files is broken: {assets}"
    )
