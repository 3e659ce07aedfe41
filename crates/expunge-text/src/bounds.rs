//! Bounds on what one call of a template may ask for: a failed allocation ends the process, so that
//! a width of ten digits must be refused before it is tried.

use minijinja::value::{Kwargs, Rest, Value};
use minijinja::{filters, Environment, Error, ErrorKind, State};

const MAX_WIDTH: u64 = 9_999;

fn too_large() -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("a width is above {MAX_WIDTH}"))
}

/// No run of digits in `spec` stands for more than MAX_WIDTH.
fn check_spec(spec: &str) -> Result<(), Error> {
    let long = |digits: &str| digits.trim_start_matches('0').len() > 4;
    if spec.split(|c: char| !c.is_ascii_digit()).any(long) { Err(too_large()) } else { Ok(()) }
}

/// The specs of '%(name)-5.2f'.
fn check_printf(format: &str) -> Result<(), Error> {
    for part in format.split('%').skip(1) {
        let spec = match part.strip_prefix('(') {
            Some(named) => named.split_once(')').map_or("", |(_, spec)| spec),
            None => part,
        };
        let end = spec.find(|c: char| c.is_alphabetic()).unwrap_or(spec.len());
        check_spec(&spec[..end])?;
    }
    Ok(())
}

/// The fields of '{name:>5}'.
fn check_braces(format: &str) -> Result<(), Error> {
    format.split('{').skip(1).try_for_each(|part| check_spec(part.split('}').next().unwrap_or("")))
}

fn check_numbers(args: &[Value]) -> Result<(), Error> {
    let small = |value: &Value| u64::try_from(value.clone()).map_or(true, |n| n <= MAX_WIDTH);
    for value in args {
        let fits = match Kwargs::try_from(value.clone()) {
            Ok(named) => named.args().all(|name| named.peek::<Value>(name).map_or(true, |v| small(&v))),
            Err(_) => small(value),
        };
        if !fits {
            return Err(too_large());
        }
    }
    Ok(())
}

/// The library's filter under a name that no template can spell.
fn own_name(name: &str) -> String {
    format!("{name} of the library")
}

fn call(state: &State, name: &str, value: Value, args: Rest<Value>) -> Result<Value, Error> {
    let all: Vec<Value> = std::iter::once(value).chain(args.0).collect();
    state.apply_filter(&own_name(name), &all)
}

pub fn add(env: &mut Environment<'static>) {
    env.add_filter(own_name("indent"), filters::indent);
    env.add_filter(own_name("batch"), filters::batch);
    env.add_filter(own_name("slice"), filters::slice);
    env.add_filter(own_name("format"), filters::format);
    for name in ["indent", "batch", "slice"] {
        env.add_filter(name, move |state: &State, value: Value, args: Rest<Value>| {
            check_numbers(&args)?;
            call(state, name, value, args)
        });
    }
    env.add_filter("format", |state: &State, value: Value, args: Rest<Value>| {
        check_printf(value.as_str().unwrap_or(""))?;
        call(state, "format", value, args)
    });
    env.set_unknown_method_callback(|state, value, method, args| {
        if method == "format" {
            check_braces(value.as_str().unwrap_or(""))?;
        }
        minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)
    });
}
