//! SentencePiece BPE by its scores, as a GGUF stores it: the adjacent pair whose piece has the
//! highest score is merged first, of equal ones the leftmost (sentencepiece, bpe_model.cc). The
//! library's BPE ranks pairs and not pieces, so that "=" "==" and "==" "=" cannot be equal there.
//!
//! Unlike llama.cpp, a piece is never a control or byte token that the text happens to spell.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::path::{Path, PathBuf};
use tokenizers::{AddedToken, Model, Result, Token, Trainer};

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    Piece,
    /// A piece, and found in a text before anything is merged.
    UserDefined,
    /// Control and unknown tokens: no text becomes them.
    Special,
    /// `<0x00>` to `<0xFF>`: what the pieces lack.
    Byte,
    /// An id without a token: it pads the vocabulary.
    Unused,
}

pub struct ScoredBpe {
    tokens: Vec<String>,
    ids: HashMap<String, u32>,
    scores: Vec<f32>,
    kinds: Vec<Kind>,
    bytes: Vec<Option<u32>>,
    unknown: Option<u32>,
}

/// Part of the text: one character, or what merges made of several. Merged away: begin == end.
struct Symbol {
    begin: usize,
    end: usize,
    previous: Option<usize>,
    next: Option<usize>,
}

/// Two neighbours whose text is a piece. Its size tells whether they are still what they were.
#[derive(PartialEq)]
struct Pair {
    score: f32,
    left: Reverse<usize>,
    right: usize,
    size: usize,
}
impl Eq for Pair {}
impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then(self.left.cmp(&other.left))
    }
}
impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn byte_of(token: &str) -> Option<usize> {
    let hex = token.strip_prefix("<0x")?.strip_suffix('>')?;
    if hex.len() == 2 { usize::from_str_radix(hex, 16).ok() } else { None }
}

impl ScoredBpe {
    pub fn new(
        tokens: Vec<String>,
        scores: Vec<f32>,
        kinds: Vec<Kind>,
        unknown: Option<u32>,
    ) -> std::result::Result<Self, String> {
        let mut ids = HashMap::with_capacity(tokens.len());
        let mut bytes = vec![None; 256];
        for (id, token) in tokens.iter().enumerate() {
            if !scores[id].is_finite() {
                return Err(format!("token {id} has the score {}", scores[id]));
            }
            if kinds[id] == Kind::Byte {
                let byte = byte_of(token)
                    .ok_or_else(|| format!("byte token {id} is '{token}', not <0x00> to <0xFF>"))?;
                bytes[byte] = Some(id as u32);
            }
            if kinds[id] == Kind::Unused || token.is_empty() {
                continue;
            }
            if let Some(first) = ids.insert(token.clone(), id as u32) {
                return Err(format!("tokens {first} and {id} are both '{token}'"));
            }
        }
        if let (None, Some(byte)) = (unknown, bytes.iter().position(Option::is_none)) {
            return Err(format!("neither a token <0x{byte:02X}> nor an unknown token"));
        }
        // -0 and 0 are one score.
        let scores = scores.into_iter().map(|score| score + 0.0).collect();
        Ok(ScoredBpe { tokens, ids, scores, kinds, bytes, unknown })
    }

    pub fn added_tokens(&self) -> Vec<AddedToken> {
        let added = |(token, kind): (&String, &Kind)| match kind {
            Kind::Special => Some(AddedToken::from(token.clone(), true)),
            Kind::UserDefined => Some(AddedToken::from(token.clone(), false).normalized(false)),
            _ => None,
        };
        self.tokens.iter().zip(&self.kinds).filter_map(added).collect()
    }

    fn piece(&self, text: &str) -> Option<u32> {
        let id = *self.ids.get(text)?;
        matches!(self.kinds[id as usize], Kind::Piece | Kind::UserDefined).then_some(id)
    }

    fn push_pair(
        &self,
        text: &str,
        symbols: &[Symbol],
        left: Option<usize>,
        right: Option<usize>,
        queue: &mut BinaryHeap<Pair>,
    ) {
        let (Some(left), Some(right)) = (left, right) else { return };
        let (begin, end) = (symbols[left].begin, symbols[right].end);
        if let Some(id) = self.piece(&text[begin..end]) {
            let score = self.scores[id as usize];
            queue.push(Pair { score, left: Reverse(left), right, size: end - begin });
        }
    }

    fn merged(&self, text: &str) -> Vec<Symbol> {
        let mut symbols: Vec<Symbol> = text
            .char_indices()
            .enumerate()
            .map(|(i, (begin, c))| Symbol {
                begin,
                end: begin + c.len_utf8(),
                previous: i.checked_sub(1),
                next: Some(i + 1),
            })
            .collect();
        if let Some(last) = symbols.last_mut() {
            last.next = None;
        }
        let mut queue = BinaryHeap::new();
        for i in 1..symbols.len() {
            self.push_pair(text, &symbols, Some(i - 1), Some(i), &mut queue);
        }
        while let Some(Pair { left: Reverse(left), right, size, .. }) = queue.pop() {
            let stale = |i: usize| symbols[i].begin == symbols[i].end;
            if stale(left) || stale(right) || symbols[right].end - symbols[left].begin != size {
                continue;
            }
            let next = symbols[right].next;
            symbols[left].end = symbols[right].end;
            symbols[left].next = next;
            symbols[right].end = symbols[right].begin;
            if let Some(next) = next {
                symbols[next].previous = Some(left);
            }
            self.push_pair(text, &symbols, symbols[left].previous, Some(left), &mut queue);
            self.push_pair(text, &symbols, Some(left), next, &mut queue);
        }
        symbols.retain(|s| s.begin < s.end);
        symbols
    }

    fn token_at(&self, id: u32, offsets: (usize, usize)) -> Token {
        Token::new(id, self.tokens[id as usize].clone(), offsets)
    }
}

impl Model for ScoredBpe {
    type Trainer = NoTrainer<Self>;

    fn tokenize(&self, text: &str) -> Result<Vec<Token>> {
        let mut tokens = Vec::new();
        for symbol in self.merged(text) {
            let part = &text[symbol.begin..symbol.end];
            let offsets = (symbol.begin, symbol.end);
            if let Some(id) = self.piece(part) {
                tokens.push(self.token_at(id, offsets));
                continue;
            }
            let bytes: Option<Vec<u32>> = part.bytes().map(|b| self.bytes[b as usize]).collect();
            match (bytes, self.unknown) {
                (Some(ids), _) => tokens.extend(ids.iter().map(|&id| self.token_at(id, offsets))),
                (None, Some(id)) => tokens.push(self.token_at(id, offsets)),
                (None, None) => unreachable!("new() demands all bytes or an unknown token"),
            }
        }
        Ok(tokens)
    }

    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.ids.get(token).copied()
    }

    fn id_to_token(&self, id: u32) -> Option<String> {
        let kind = self.kinds.get(id as usize)?;
        (*kind != Kind::Unused).then(|| self.tokens[id as usize].clone())
    }

    fn get_vocab(&self) -> HashMap<String, u32> {
        self.ids.clone()
    }

    fn get_vocab_size(&self) -> usize {
        self.ids.len()
    }

    fn save(&self, _folder: &Path, _prefix: Option<&str>) -> Result<Vec<PathBuf>> {
        Err("a vocabulary with scores is not saved".into())
    }

    fn get_trainer(&self) -> NoTrainer<Self> {
        NoTrainer(std::marker::PhantomData)
    }
}

/// The library asks every model for a trainer; nothing is trained here.
pub struct NoTrainer<M>(pub std::marker::PhantomData<fn() -> M>);

impl<M: Model> Trainer for NoTrainer<M> {
    type Model = M;

    fn should_show_progress(&self) -> bool {
        false
    }

    fn train(&self, _model: &mut M) -> Result<Vec<AddedToken>> {
        Err("a tokenizer is not trained here".into())
    }

    fn feed<I, S, F>(&mut self, _iterator: I, _process: F) -> Result<()>
    where
        I: Iterator<Item = S> + Send,
        S: AsRef<str> + Send,
        F: Fn(&str) -> Result<Vec<String>> + Sync,
    {
        Err("a tokenizer is not trained here".into())
    }
}
