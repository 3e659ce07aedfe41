//! What Jinja2 knows and minijinja does not, written in minijinja's words. The library's own lexer
//! finds the places, so that what looks like them inside a string or a raw block stays as it is.

use minijinja::machinery::{tokenize, Span, Token, WhitespaceConfig};
use std::ops::Range;

type Tokens<'a> = [(Token<'a>, Span)];

struct Edit {
    place: Range<usize>,
    text: String,
}

fn bytes(span: Span) -> Range<usize> {
    span.start_offset as usize..span.end_offset as usize
}

/// `source` for minijinja; what its lexer refuses is returned as it is.
pub fn adapted(source: &str) -> String {
    let config = WhitespaceConfig::default();
    let tokens: Result<Vec<_>, _> = tokenize(source, false, Default::default(), config).collect();
    let Ok(tokens) = tokens else { return source.to_string() };
    let mut edits = Vec::new();
    for at in 0..tokens.len() {
        neutral_generation_tag(&tokens, at, &mut edits);
        percent_format(&tokens, at, &mut edits);
    }
    edits.sort_by_key(|edit| edit.place.start);
    let mut out = String::with_capacity(source.len());
    let mut from = 0;
    for Edit { place, text } in edits {
        out.push_str(&source[from..place.start]);
        out.push_str(&text);
        from = place.end;
    }
    out.push_str(&source[from..]);
    out
}

/// `{% generation %}` and its end mark training spans and print nothing. As an `if` that holds they
/// keep their say over the white space around them.
fn neutral_generation_tag(tokens: &Tokens, at: usize, edits: &mut Vec<Edit>) {
    let [(Token::BlockStart, _), (Token::Ident(word), span), (Token::BlockEnd, _), ..] =
        &tokens[at..]
    else {
        return;
    };
    let text = match *word {
        "generation" => "if true",
        "endgeneration" => "endif",
        _ => return,
    };
    edits.push(Edit { place: bytes(*span), text: text.to_string() });
}

/// `'%s of %d' % (a, b)` is `'%s of %d'|format(a, b)`. Only after a literal: what a variable holds is
/// not known here, and `loop.index % 2` is a remainder.
fn percent_format(tokens: &Tokens, at: usize, edits: &mut Vec<Edit>) {
    use Token::*;
    let [(Str(_) | String(_), _), (Mod, sign), right, ..] = &tokens[at..] else { return };
    let before = at.checked_sub(1).map(|i| &tokens[i].0);
    if matches!(before, Some(Mul | Div | FloorDiv | Mod | Pow)) {
        return;
    }
    let begin = at + 2;
    let Some(end) = operand_end(tokens, begin) else { return };
    // The parentheses of a tuple become those of the call.
    let call = matches!(right.0, ParenOpen)
        && closing(tokens, begin) == Some(end - 1)
        && has_comma(&tokens[begin + 1..end - 1]);
    edits.push(Edit {
        place: bytes(*sign),
        text: if call { "|format" } else { "|format(" }.to_string(),
    });
    if !call {
        let after = tokens[end - 1].1.end_offset as usize;
        edits.push(Edit { place: after..after, text: ")".to_string() });
    }
}

/// The token that closes the bracket at `at`.
fn closing(tokens: &Tokens, at: usize) -> Option<usize> {
    use Token::*;
    let mut depth = 0;
    for (i, (token, _)) in tokens.iter().enumerate().skip(at) {
        match token {
            ParenOpen | BracketOpen | BraceOpen => depth += 1,
            ParenClose | BracketClose | BraceClose => depth -= 1,
            VariableEnd | BlockEnd => return None,
            _ => {}
        }
        if depth == 0 {
            return Some(i);
        }
    }
    None
}

fn has_comma(tokens: &Tokens) -> bool {
    use Token::*;
    let mut depth = 0;
    tokens.iter().any(|(token, _)| {
        match token {
            ParenOpen | BracketOpen | BraceOpen => depth += 1,
            ParenClose | BracketClose | BraceClose => depth -= 1,
            _ => {}
        }
        depth == 0 && matches!(token, Comma)
    })
}

/// One past the right operand of a multiplication that begins at `at`: signs, a primary, its
/// attributes, subscripts, calls and filters, and what it is raised to.
fn operand_end(tokens: &Tokens, mut at: usize) -> Option<usize> {
    use Token::*;
    let token = |i: usize| tokens.get(i).map(|t| &t.0);
    while matches!(token(at)?, Plus | Minus) {
        at += 1;
    }
    at = match token(at)? {
        ParenOpen | BracketOpen | BraceOpen => closing(tokens, at)? + 1,
        Ident(_) | Str(_) | String(_) | Int(_) | Int128(_) | Float(_) => at + 1,
        _ => return None,
    };
    loop {
        at = match token(at)? {
            Dot | Pipe => at + 2,
            ParenOpen | BracketOpen => closing(tokens, at)? + 1,
            Pow => return operand_end(tokens, at + 1),
            _ => return Some(at),
        };
    }
}
