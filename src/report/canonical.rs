//! JSON in its canonical form (RFC 8785), as far as our ids need it: no numbers with a fraction.

use serde_json::Value;

/// The one text of a value: keys sorted by their UTF-16 units, no white space.
#[must_use]
pub(super) fn canonical_json(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical_json(value)))
                .collect();
            format!("{{{}}}", entries.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical_json).collect();
            format!("[{}]", items.join(","))
        }
        // serde_json escapes what RFC 8785 escapes, in the same form.
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_as_utf16_and_strings_escaped_as_the_rfc_says() {
        // RFC 8785 section 3.2.3: the sorting example; U+1F600 is a surrogate pair and goes before U+FB33.
        let value = json!({ "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4, "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7 });
        let keys: Vec<u64> = canonical_json(&value)
            .split(':')
            .skip(1)
            .filter_map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok())
            .collect();
        assert_eq!(keys, [2, 4, 6, 7, 1, 5, 3]);
        // Section 3.2.2.2: the string example.
        let text = "\u{20ac}$\u{f}\nA'B\"\\\\\"/";
        assert_eq!(canonical_json(&json!(text)), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
    }
}
