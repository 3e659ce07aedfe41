//! The model inside a tokenizer: one of the library's, or pieces with scores.

use crate::scored::{NoTrainer, ScoredBpe};
use serde::{Deserialize, Deserializer};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tokenizers::{
    DecoderWrapper, Model, ModelWrapper, NormalizerWrapper, PostProcessorWrapper,
    PreTokenizerWrapper, Result, Token, TokenizerImpl,
};

pub enum AnyModel {
    Library(ModelWrapper),
    Scored(ScoredBpe),
}

pub type Tokenizer = TokenizerImpl<
    AnyModel,
    NormalizerWrapper,
    PreTokenizerWrapper,
    PostProcessorWrapper,
    DecoderWrapper,
>;

impl<'de> Deserialize<'de> for AnyModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        ModelWrapper::deserialize(deserializer).map(AnyModel::Library)
    }
}

impl Model for AnyModel {
    type Trainer = NoTrainer<Self>;

    fn tokenize(&self, text: &str) -> Result<Vec<Token>> {
        match self {
            AnyModel::Library(model) => model.tokenize(text),
            AnyModel::Scored(model) => model.tokenize(text),
        }
    }
    fn token_to_id(&self, token: &str) -> Option<u32> {
        match self {
            AnyModel::Library(model) => model.token_to_id(token),
            AnyModel::Scored(model) => model.token_to_id(token),
        }
    }
    fn id_to_token(&self, id: u32) -> Option<String> {
        match self {
            AnyModel::Library(model) => model.id_to_token(id),
            AnyModel::Scored(model) => model.id_to_token(id),
        }
    }
    fn get_vocab(&self) -> HashMap<String, u32> {
        match self {
            AnyModel::Library(model) => model.get_vocab(),
            AnyModel::Scored(model) => model.get_vocab(),
        }
    }
    fn get_vocab_size(&self) -> usize {
        match self {
            AnyModel::Library(model) => model.get_vocab_size(),
            AnyModel::Scored(model) => model.get_vocab_size(),
        }
    }
    fn save(&self, folder: &Path, prefix: Option<&str>) -> Result<Vec<PathBuf>> {
        match self {
            AnyModel::Library(model) => model.save(folder, prefix),
            AnyModel::Scored(model) => model.save(folder, prefix),
        }
    }
    fn get_trainer(&self) -> NoTrainer<Self> {
        NoTrainer(std::marker::PhantomData)
    }
}
