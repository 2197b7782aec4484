"""The products of the street, one file each; every one has at least two configurations."""

from . import apache, caddy, dropbear, haproxy, lighttpd, nginx, openssh, s_server, stunnel

ALL = (nginx, apache, haproxy, lighttpd, caddy, stunnel, s_server, openssh, dropbear)
