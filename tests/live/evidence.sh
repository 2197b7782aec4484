#!/usr/bin/env bash
# Checks a case's bundle with sha256sum, openssl, zstd and a few lines of Python alone, as docs/EVIDENCE.md and the bundle's
# README.txt say; and has a time-stamp authority of its own stamp the case. Usage: tests/live/evidence.sh CASE
set -euo pipefail
hostkin=${HOSTKIN:-$(cd "$(dirname "$0")/../.." && pwd)/target/release/hostkin}
case=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
fail() { echo "evidence: $*" >&2; exit 1; }

# A time-stamp authority that lives as long as this script.
cat > tsa.cnf <<'CNF'
[req]
distinguished_name = name
x509_extensions = tsa
prompt = no
[name]
CN = An authority of the test
[tsa]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[stamp]
serial = serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
CNF
openssl req -x509 -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.pem -days 2 -config tsa.cnf 2>/dev/null
"$hostkin" -q export "$case" timestamp-request -o head.tsq
openssl ts -reply -config tsa.cnf -section stamp -queryfile head.tsq -signer tsa.pem -inkey tsa.key -out head.tsr 2>/dev/null
"$hostkin" -q import "$case" timestamp head.tsr

"$hostkin" -q export "$case" bundle -o b.tar
"$hostkin" verify b.tar > said || fail "hostkin itself finds something: $(cat said)"
tar -xf b.tar
cd bundle
sha256sum --quiet -c SHA256SUMS || fail "a file is not as it was packed"

# The chain, and what was said.
lines=$(wc -l < records.jsonl)
before=0000000000000000000000000000000000000000000000000000000000000000
field() { sed 's/.*"'"$1"'":"\([^"]*\)".*/\1/'; }
for n in $(seq "$lines"); do
    line=$(sed -n "${n}p" records.jsonl)
    [ "$(printf %s "$line" | field previous)" = "$before" ] || fail "record $n does not follow the one before"
    before=$(printf %s "$line" | sha256sum | cut -d' ' -f1)
    details=$(sed -n "${n}p" details.jsonl | tr -d '\n' | sha256sum | cut -d' ' -f1)
    [ "$(printf %s "$line" | field details_sha256)" = "$details" ] || fail "what record $n says is not what was sealed"
done

# The signatures.
signed=0
while read -r signature; do
    n=$(printf %s "$signature" | sed 's/{"seq":\([0-9]*\),.*/\1/')
    sed -n "${n}p" records.jsonl | tr -d '\n' > ../head.txt
    printf %s "$signature" | field signature | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' > ../head.sig
    openssl pkeyutl -verify -pubin -inkey signers/*.pem -rawin -in ../head.txt -sigfile ../head.sig > /dev/null || fail "record $n is not signed"
    signed=$((signed + 1))
done < signatures.jsonl
[ "$n" = "$lines" ] || fail "the last record is not signed"
for key in signers/*.pem; do
    print=$(openssl pkey -pubin -in "$key" -outform der | sha256sum | cut -d' ' -f1)
    [ "signers/$print.pem" = "$key" ] || fail "$key has the fingerprint $print"
    grep -q "$print" ../said || fail "verify does not name $print"
done

# The time stamp, by the authority's own key.
for stamp in stamps/*.tsr; do
    of=$(sed -n "$((10#$(basename "$stamp" .tsr)))p" details.jsonl | sed 's/.*"record":\([0-9]*\),.*/\1/')
    digest=$(sed -n "${of}p" records.jsonl | tr -d '\n' | sha256sum | cut -d' ' -f1)
    openssl ts -verify -in "$stamp" -digest "$digest" -CAfile ../tsa.pem > /dev/null 2>&1 || fail "$stamp does not stamp record $of"
done

# One observation as the page has it, and all of them with their trees by a second pair of eyes.
file=$(find observations -name '*.jsonl' | sort | head -1)
line=$(sed -n 3p "$file")
text=$(printf %s "$line" | sed 's/.*"observation":\({.*}\),"reading":.*/\1/')
[ "$({ printf '\0'; printf %s "$text"; } | sha256sum | cut -d' ' -f1)" = "$(printf %s "$line" | sed 's/{"leaf":[0-9]*,"hash":"\([0-9a-f]*\)".*/\1/')" ] || fail "leaf 3 has another hash"
reading=$(printf %s "$line" | sed 's/.*"reading":\({.*}\),"path":.*/\1/' | tr -d '\n' | sha256sum | cut -d' ' -f1)
[ "$reading" = "$(printf %s "$text" | field reading_sha256)" ] || fail "the reading of leaf 3 is another"
capture=$(printf %s "$text" | field capture_sha256)
[ "$(zstd -dc "captures/$capture.cbor.zst" | sha256sum | cut -d' ' -f1)" = "$capture" ] || fail "the bytes of leaf 3 are others"
python3 - <<'PY'
import hashlib, json, pathlib, re, sys
sha = lambda data: hashlib.sha256(data).digest()
def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha(b"\1" + root(leaves[:split]) + root(leaves[split:]))
details = [json.loads(line) for line in open("details.jsonl")]
sealed = {}
for line, detail in zip(map(json.loads, open("records.jsonl")), details):
    if line["action"] == "sealed":
        sealed[detail["body"]["first"], detail["body"]["last"]] = line["raw_sha256"]
    if line["action"] == "link":
        results = line["derived_sha256"]
count = 0
for file in sorted(pathlib.Path("observations").iterdir()):
    leaves = []
    for text in open(file, newline="\n"):
        observation = re.search(r'"observation":(\{.*\}),"reading":(\{.*\}|null),"path":null\}\n$', text)
        leaves.append(sha(b"\0" + observation[1].encode()))
        count += 1
        assert leaves[-1].hex() == json.loads(text)["hash"], text[:80]
        if observation[2] != "null":
            assert sha(observation[2].encode()).hex() == json.loads(observation[1])["reading_sha256"], text[:80]
    first, last = map(int, file.stem.split("-"))
    assert root(leaves).hex() == sealed.pop((first, last)), file
assert not sealed
rows = [re.search(r'"row":(\{.*\}),"path":null\}\n$', text)[1] for text in open("results.jsonl", newline="\n")]
assert root([sha(b"\0" + row.encode()) for row in rows]).hex() == results
print(f"evidence: {len(details)} records, {count} observations and {len(rows)} results checked without hostkin")
PY
echo "evidence: $signed signatures and $(find stamps -name '*.tsr' | wc -l) time stamp checked with openssl"
