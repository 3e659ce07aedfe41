//! Chat templates: minijinja made to behave as the Jinja2 of `transformers`.

use crate::{guarded, text, Bytes};
use minijinja::value::{Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind};

/// Steps a template may take; an endless loop ends in an error.
const FUEL: u64 = 10_000_000;
/// Bytes of a template, and of what it may write.
const MAX_SOURCE: usize = 1 << 20;
const MAX_OUTPUT: usize = 1 << 26;

/// Takes what a template writes, up to MAX_OUTPUT.
struct Bounded(Vec<u8>);

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT {
            return Err(std::io::Error::other(format!("it writes more than {MAX_OUTPUT} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// `transformers` redefines tojson: no HTML escapes, non-ASCII kept, optional indent.
fn tojson(value: Value, kwargs: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = kwargs.get("indent")?;
    let _: Option<bool> = kwargs.get("ensure_ascii")?;
    let sort_keys: Option<bool> = kwargs.get("sort_keys")?;
    kwargs.assert_all_used()?;
    let mut json: serde_json::Value = serde_json::to_value(&value)
        .map_err(|e| Error::new(ErrorKind::BadSerialization, e.to_string()))?;
    if sort_keys == Some(true) {
        json.sort_all_objects();
    }
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

/// A moment of UTC in the parts that strftime names.
struct Moment {
    year: i64,
    month: usize,
    day: i64,
    day_of_year: i64,
    weekday: usize, // 0: Sunday
    hour: u64,
    minute: u64,
    second: u64,
}

fn moment_of(seconds: u64) -> Moment {
    let days = (seconds / 86_400) as i64;
    // Civil date from days since 1970 (Hinnant's algorithm).
    let z = days + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100); // from 1 March
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    Moment {
        year,
        month: month as usize,
        day: doy - (153 * mp + 2) / 5 + 1,
        day_of_year: if month > 2 { doy + 60 + i64::from(leap) } else { doy - 305 },
        weekday: ((days + 4) % 7) as usize,
        hour: seconds / 3600 % 24,
        minute: seconds / 60 % 60,
        second: seconds % 60,
    }
}

/// Python's strftime in the C locale, for the parts that templates ask for; `%-d` is unpadded. Other
/// codes are left as they are.
fn strftime(format: &str, m: &Moment) -> String {
    const MONTHS: [&str; 12] = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September",
        "October", "November", "December",
    ];
    const DAYS: [&str; 7] =
        ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut ahead = rest.clone();
        let mut code = ahead.next();
        let unpadded = code == Some('-');
        if unpadded {
            code = ahead.next();
        }
        let number = |value: u64, width: usize| {
            if unpadded { value.to_string() } else { format!("{value:0width$}") }
        };
        let part = match code {
            Some('Y') => m.year.to_string(),
            Some('y') => number((m.year % 100) as u64, 2),
            Some('m') => number(m.month as u64, 2),
            Some('B') => MONTHS[m.month - 1].to_string(),
            Some('b') | Some('h') => MONTHS[m.month - 1][..3].to_string(),
            Some('d') => number(m.day as u64, 2),
            Some('e') => format!("{:2}", m.day),
            Some('j') => number(m.day_of_year as u64, 3),
            Some('A') => DAYS[m.weekday].to_string(),
            Some('a') => DAYS[m.weekday][..3].to_string(),
            Some('w') => m.weekday.to_string(),
            Some('H') => number(m.hour, 2),
            Some('I') => number((m.hour + 11) % 12 + 1, 2),
            Some('p') => if m.hour < 12 { "AM" } else { "PM" }.to_string(),
            Some('M') => number(m.minute, 2),
            Some('S') => number(m.second, 2),
            Some('F') => format!("{}-{:02}-{:02}", m.year, m.month, m.day),
            Some('T') => format!("{:02}:{:02}:{:02}", m.hour, m.minute, m.second),
            Some('%') if !unpadded => "%".to_string(),
            _ => {
                out.push('%');
                continue;
            }
        };
        out.push_str(&part);
        rest = ahead;
    }
    out
}

fn strftime_now(format: String) -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    strftime(&format, &moment_of(seconds))
}

/// `{% generation %}` and its end mark training spans and print nothing. As an `if` that holds they
/// keep their say over the white space around them.
fn neutral_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(begin) = rest.find("{%") {
        let Some(inside) = rest[begin + 2..].find("%}") else { break };
        let tag = &rest[begin..begin + inside + 4];
        let word = tag[2..inside + 2].trim_matches(|c: char| c == '-' || c == '+' || c.is_whitespace());
        out.push_str(&rest[..begin]);
        match word {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = &rest[begin + inside + 4..];
    }
    out.push_str(rest);
    out
}

/// The error with what caused it, which is where the bound on the output is named.
fn reason(error: Error) -> String {
    match std::error::Error::source(&error) {
        Some(source) if error.kind() == ErrorKind::WriteFailure => format!("{error:#}: {source}"),
        _ => format!("{error:#}"),
    }
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
        if len > MAX_SOURCE {
            return Err(format!("it has {len} bytes, at most {MAX_SOURCE} are read"));
        }
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
        let mut written = Bounded(Vec::new());
        chat.render_captured_to(&context, &mut written).map_err(reason)?;
        let rendered = String::from_utf8(written.0).map_err(|e| e.to_string())?;
        *out = Bytes::give(rendered);
        Ok(())
    })
}
