//! Certificates of real servers, against the facts that another parser read from them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hostkin::facet::{Facet, FacetKind, Value, show_bytes};
use hostkin::proto::x509::{chain_facet, leaf_facets, sha256_hex, template_text, verify_handshake_signature};
use serde_json::Value as Json;

fn golden(name: &str) -> Json {
    let path = format!("{}/tests/golden/x509/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn text<'a>(object: &'a Json, key: &str) -> &'a str {
    object[key].as_str().unwrap()
}

fn der(object: &Json) -> Vec<u8> {
    STANDARD.decode(text(object, "der")).unwrap()
}

fn values(facets: &[Facet], kind: FacetKind) -> Vec<String> {
    facets.iter().filter(|one| one.kind == kind).map(|one| show_bytes(&one.stored())).collect()
}

fn key_type(fact: &Json) -> String {
    let bits = fact["key_bits"].as_u64();
    match (text(fact, "key_type"), bits) {
        ("RSAPublicKey", Some(bits)) => format!("rsa-{bits}"),
        ("ECPublicKey", Some(bits)) => format!("ec-p{bits}"),
        ("Ed25519PublicKey", None) => "ed25519".into(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_certificate_has_the_facts_another_parser_read() {
    let file = golden("chains.json");
    let mut certificates = 0;
    for server in file["servers"].as_array().unwrap() {
        for fact in server["chain"].as_array().unwrap() {
            certificates += 1;
            let der = der(fact);
            let facets = leaf_facets(&der, "jarm", Some(false));
            let sans = fact["san"].as_array().into_iter().flatten().map(|one| one.as_str().unwrap());
            let sans: Vec<String> =
                sans.map(|one| one.replace("DNSName:", "DNS:").replace("IPAddress:", "IP:")).collect();
            let date = |key: &str| text(fact, key).replace("+00:00", "Z");
            for (kind, expected) in [
                (FacetKind::CertSha256, vec![text(fact, "sha256").to_owned()]),
                (FacetKind::CertSpkiSha256, vec![text(fact, "spki_sha256").to_owned()]),
                (FacetKind::CertSubject, vec![text(fact, "subject").to_owned()]),
                (FacetKind::CertIssuer, vec![text(fact, "issuer").to_owned()]),
                (FacetKind::CertSubjectSha256, vec![text(fact, "subject_der_sha256").to_owned()]),
                (FacetKind::CertIssuerSha256, vec![text(fact, "issuer_der_sha256").to_owned()]),
                (FacetKind::CertSerial, vec![text(fact, "serial_hex").to_owned()]),
                (FacetKind::CertNotBefore, vec![date("not_before")]),
                (FacetKind::CertNotAfter, vec![date("not_after")]),
                (FacetKind::CertValiditySeconds, vec![fact["validity_seconds"].to_string()]),
                (FacetKind::CertSan, sans),
                (FacetKind::CertKeyType, vec![key_type(fact)]),
            ] {
                assert_eq!(values(&facets, kind), expected, "{} {kind}", server["id"]);
            }
            assert!(!facets[0].extra.iter().any(|(key, _)| *key == "unparsed"), "{} {:?}", server["id"], facets[0]);
            check_template(fact, &der);
        }
    }
    assert_eq!(certificates, 72);
}

fn check_template(fact: &Json, der: &[u8]) {
    let template = template_text(der);
    let parts: Vec<&str> = template.split('|').collect();
    let [version, signature, key, _, _, extensions, validity] = parts.as_slice() else { panic!("{template}") };
    assert_eq!(*version, text(fact, "version"));
    assert_eq!(*signature, text(fact, "signature_oid"));
    assert_eq!(*key, key_type(fact));
    assert_eq!(*validity, fact["validity_seconds"].to_string());
    let oids: Vec<&str> =
        extensions.split(',').filter(|one| !one.is_empty()).map(|one| one.trim_end_matches('!')).collect();
    let expected: Vec<&str> =
        fact["extension_oids"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(oids, expected);
}

#[test]
fn machines_of_one_template_share_it_and_strangers_do_not() {
    let file = golden("chains.json");
    let template = |id: &str| {
        let server = file["servers"].as_array().unwrap().iter().find(|one| text(one, "id") == id).unwrap();
        let facets = leaf_facets(&der(&server["chain"][0]), "jarm", None);
        values(&facets, FacetKind::CertTemplate).concat()
    };
    for id in ["alpha-2", "alpha-3", "alpha-4", "alpha-5"] {
        assert_eq!(template(id), template("alpha-1"), "{id}");
    }
    for id in ["ng-default", "ng-win", "bravo-1"] {
        assert_ne!(template(id), template("alpha-1"), "{id}");
    }
}

#[test]
fn a_chain_lists_the_digests_in_the_order_sent() {
    let file = golden("chains.json");
    for server in file["servers"].as_array().unwrap() {
        let chain: Vec<Vec<u8>> = server["chain"].as_array().unwrap().iter().map(der).collect();
        let expected =
            server["chain"].as_array().unwrap().iter().map(|one| text(one, "sha256").as_bytes().to_vec()).collect();
        let facet = chain_facet(chain.iter().map(Vec::as_slice), "handshake");
        assert_eq!(facet.value, Value::List(expected));
    }
}

#[test]
fn certificates_that_break_a_rule_give_what_can_be_read_and_say_what_cannot() {
    let file = golden("odd.json");
    for one in file["certificates"].as_array().unwrap() {
        let der = der(one);
        assert_eq!(sha256_hex(&der), text(one, "sha256"), "{}", one["name"]);
        let facets = leaf_facets(&der, "jarm", None);
        let mut expected = one["facets"].as_object().unwrap().clone();
        let unparsed = facets[0].extra.iter().find(|(key, _)| *key == "unparsed").map(|(_, words)| words.to_json());
        assert_eq!(unparsed.unwrap_or_default(), one["unparsed"], "{}", one["name"]);
        for kind in facets.iter().map(|facet| facet.kind) {
            if let Some(value) = expected.remove(kind.as_str()) {
                assert_eq!(Json::from(values(&facets, kind)), value, "{} {kind}", one["name"]);
            }
        }
        assert!(expected.values().all(|value| value == &Json::Array(Vec::new())), "{} lacks {expected:?}", one["name"]);
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn signatures_of_another_library_prove_the_key_and_changed_ones_do_not() {
    let file = golden("signatures.json");
    let message = unhex(text(&file, "message"));
    let mut proven = 0;
    for key in file["keys"].as_array().unwrap() {
        let leaf = der(key);
        assert_eq!(values(&leaf_facets(&leaf, "handshake", None), FacetKind::CertKeyType), [text(key, "key")]);
        for one in key["signatures"].as_array().unwrap() {
            let scheme = u16::try_from(one["scheme"].as_u64().unwrap()).unwrap();
            let signature = unhex(text(one, "signature"));
            let check =
                |message: &[u8], signature: &[u8]| verify_handshake_signature(&leaf, scheme, message, signature);
            let expected = one["proven"].as_bool();
            let case = format!("{} {scheme:04x}", key["key"]);
            assert_eq!(check(&message, &signature), expected, "{case}");
            let changed =
                |bytes: &[u8]| bytes.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 40)).collect::<Vec<_>>();
            let refused = expected.map(|_| false);
            assert_eq!(check(&changed(&message), &signature), refused, "{case}");
            assert_eq!(check(&message, &changed(&signature)), refused, "{case}");
            assert_eq!(check(&message, b""), refused, "{case}");
            proven += u32::from(expected == Some(true));
        }
    }
    assert_eq!(proven, 19);
}

#[test]
fn a_key_of_another_kind_than_the_scheme_proves_nothing() {
    let file = golden("signatures.json");
    for key in file["keys"].as_array().unwrap() {
        let leaf = der(key);
        let own = text(key, "key");
        for (scheme, kinds) in [(0x0401, "rsa"), (0x0804, "rsa"), (0x0403, "ec-"), (0x0807, "ed25519")] {
            if !own.starts_with(kinds) {
                assert_eq!(verify_handshake_signature(&leaf, scheme, b"m", b"s"), Some(false), "{own} {scheme:04x}");
            }
        }
    }
}
