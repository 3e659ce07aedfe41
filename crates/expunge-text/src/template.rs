//! Chat templates: minijinja made to behave as the Jinja2 of `transformers`.

use crate::{guarded, text, Bytes};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};

/// Steps a template may take; an endless loop ends in an error.
const FUEL: u64 = 10_000_000;

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// `transformers` redefines tojson: no HTML escapes, non-ASCII kept, optional indent.
fn tojson(value: Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    let _: Option<bool> = kwargs.get("ensure_ascii")?;
    let _: Option<bool> = kwargs.get("sort_keys")?;
    kwargs.assert_all_used()?;
    let json: serde_json::Value = serde_json::to_value(&value)
        .map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
    Ok(match indent {
        None => python_json(&json),
        Some(width) => {
            let spaces = " ".repeat(width);
            let mut out = Vec::new();
            let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
            let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
            serde::Serialize::serialize(&json, &mut serializer)
                .map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
            String::from_utf8_lossy(&out).into_owned()
        }
    })
}

/// json.dumps separates with ", " and ": ".
fn python_json(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python_json).collect();
            format!("[{}]", items.join(", "))
        }
        serde_json::Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(k, v)| format!("{}: {}", serde_json::Value::from(k.as_str()), python_json(v)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}

/// The date parts that templates ask for; UTC.
fn strftime_now(format: String) -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    // Civil date from days since 1970 (Hinnant's algorithm).
    let z = (seconds / 86_400) as i64 + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    const MONTHS: [&str; 12] = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ];
    let name = MONTHS[(month - 1) as usize];
    format
        .replace("%d", &format!("{day:02}"))
        .replace("%m", &format!("{month:02}"))
        .replace("%b", &name[..3])
        .replace("%B", name)
        .replace("%Y", &year.to_string())
        .replace("%H", &format!("{:02}", seconds / 3600 % 24))
        .replace("%M", &format!("{:02}", seconds / 60 % 60))
        .replace("%S", &format!("{:02}", seconds % 60))
}

/// `{% generation %}` and its end mark training spans and print nothing. As an `if` that holds they
/// keep their say over the white space around them.
fn neutral_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(begin) = rest.find("{%") {
        let Some(length) = rest[begin..].find("%}") else { break };
        let tag = &rest[begin..begin + length + 2];
        let word = tag[2..length].trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace());
        out.push_str(&rest[..begin]);
        match word {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = &rest[begin + length + 2..];
    }
    out.push_str(rest);
    out
}

/// # Safety
/// (data, len) must be readable; `out` and `error` writable.
#[no_mangle]
pub unsafe extern "C" fn expunge_template_compile(
    data: *const u8,
    len: usize,
    out: *mut *mut Environment<'static>,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let source = neutral_generation_tags(&text(data, len)?.replace("\r\n", "\n"));
        let mut env = Environment::new();
        env.set_trim_blocks(true);
        env.set_lstrip_blocks(true);
        env.set_fuel(Some(FUEL));
        env.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        env.add_function("raise_exception", raise_exception);
        env.add_function("strftime_now", strftime_now);
        env.add_filter("tojson", tojson);
        env.add_template_owned("chat", source).map_err(|e| format!("{e:#}"))?;
        *out = Box::into_raw(Box::new(env));
        Ok(())
    })
}

/// # Safety
/// `env` must come from `expunge_template_compile` and be freed once.
#[no_mangle]
pub unsafe extern "C" fn expunge_template_free(env: *mut Environment<'static>) {
    if !env.is_null() {
        drop(Box::from_raw(env));
    }
}

/// Renders with the JSON object (data, len) as its variables.
///
/// # Safety
/// Pointers must be valid.
#[no_mangle]
pub unsafe extern "C" fn expunge_template_render(
    env: *const Environment<'static>,
    data: *const u8,
    len: usize,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guarded(error, || {
        let context: serde_json::Value =
            serde_json::from_str(text(data, len)?).map_err(|e| e.to_string())?;
        let chat = (*env).get_template("chat").map_err(|e| format!("{e:#}"))?;
        let rendered = chat.render(Value::from_serialize(&context)).map_err(|e| format!("{e:#}"))?;
        *out = Bytes::give(rendered);
        Ok(())
    })
}
