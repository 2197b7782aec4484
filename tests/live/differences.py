"""Where a reference tool is known to say something else than hostkin, or nothing: one by one, with the reason.

`compare.py` asserts that exactly these are met: a difference that is not here fails, and so does one here that is not met.
A TLS port asked by a name is written `server name`.
"""

# pyjarm gives 62 zeros and hostkin must give no JARM at all, and say that it is incomplete.
PYJARM = {"haproxy-holds-tls1.1": "a time-out on one probe loses pyjarm all ten; hostkin calls that slot unknown, not void"}

# Leaves that no signature binds to the connection: nothing the far side sent could not have been copied.
UNPROVEN = {
    "nginx-tls1.0": "TLS 1.0 signs MD5 and SHA-1 together, which hostkin does not take for proof",
    "s_server-tls1.0": "TLS 1.0 signs MD5 and SHA-1 together, which hostkin does not take for proof",
    "s_server-tls1.1": "TLS 1.1 signs MD5 and SHA-1 together, which hostkin does not take for proof",
    "haproxy-rsa-key-exchange": "RSA key exchange signs nothing",
}

# Servers with which hostkin's TLS library has no full session, so no page either; the leaf comes from JARM's connections.
NO_SESSION = {
    "nginx-tls1.0": "the library begins at TLS 1.2",
    "s_server-tls1.0": "the library begins at TLS 1.2",
    "s_server-tls1.1": "the library begins at TLS 1.2",
    "haproxy-rsa-key-exchange": "the library has no RSA key exchange",
    "nginx-p521-share": "the library has no P-521 key share",
    "stunnel-client-certificate-1.2": "the server ends a TLS 1.2 handshake without a client certificate",
    "caddy-named-client-certificate caddy.example.test": "the server ends a TLS 1.2 handshake without a client certificate",
}

# Servers that show no certificate to whoever asks by address.
NO_LEAF = {
    "nginx-strict-sni": "ssl_reject_handshake without the name",
    "haproxy-strict-sni": "strict-sni without the name",
    "caddy-named-client-certificate": "no site without the name",
}

# Pages that differ at each request, so that only status and header names can be compared.
VARYING_BODY = {
    "s_server-default": "-www prints the session's own numbers",
    "s_server-ed25519": "-www prints the session's own numbers",
    "s_server-p521": "-www prints the session's own numbers",
    "s_server-alpn-imap": "-www prints the session's own numbers",
}

# Keys of the server that `ssh-keyscan -t` cannot get, by blob type.
KEYSCAN_MISSES = {
    "openssh-legacy": ({"ssh-rsa", "ssh-dss", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"},
                       "ssh-keyscan offers neither group1 nor group14 with SHA-1"),
    "openssh-finite-field": ({"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"}, "ssh-keyscan -t ecdsa gets the first size only"),
}

# Blob types that a server offers and hostkin cannot get; it says so in `ssh.host_key_missing`.
KEYS_NOT_HAD = {
    "openssh-post-quantum": ({"ssh-rsa", "ecdsa-sha2-nistp256", "ssh-ed25519"}, "hostkin does not speak the post-quantum key exchange"),
    "dropbear-p521": ({"ssh-rsa"}, "Dropbear 2022.83 offers rsa-sha2-256 without having an RSA key, and hangs up when taken at its word"),
}
