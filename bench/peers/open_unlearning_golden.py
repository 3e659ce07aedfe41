#!/usr/bin/env python3
"""open-unlearning's evaluation of a few TOFU items -> tests/golden/parity.golden.json.

    VENV/bin/python bench/peers/open_unlearning_golden.py --peer PEER --model MODEL_DIR

PEER, VENV and MODEL_DIR as in open_unlearning.py; MODEL_DIR is the default model. Everything is
computed by the peer's own evaluator from its own configuration, float32 on the processor, its batch
size of 32 (6 rows of forget10_perturbed are one batch, padded, and so are 4 of world_facts_perturbed).
Texts are from TOFU (MIT).

What the peer does, all of which has to be done alike for equal numbers. On this model eos = pad =
<|im_end|> = 2 and "\\n" = 198. The statements marked * are tested below.

Tokens
- template_args is {apply_chat_template: True}: no system prompt is given, so that the template of
  SmolLM2 puts its own in front ("You are a helpful AI assistant named SmolLM, trained by Hugging Face").
- The whole chat is rendered and tokenised as one string. It ends in "<|im_end|>\\n"; since that is not
  eos, eos is appended: ... answer, 2, 198, 2.*
- Labels are what follows the first len(prompt_ids) tokens of that, prompt_ids being the chat up to and
  with "<|im_start|>assistant\\n": ids(answer), 2, 198, 2.* All of them count in avg_loss; no label is
  left out for being pad. max_length is ignored where a chat template is used. Texts are not stripped.
Mask
- The collator makes the mask anew: ids != 2. So every <|im_end|> (after the system prompt, the
  question, the answer) is seen by no token, itself included. It still runs, and predicts.
Scoring
- Right padding; no position ids are given: 0, 1, 2, ... with <|im_end|> counted.* What is hidden
  leaves a gap in the positions. Those of the prompt could be left out if the others keep their
  positions.* In the answer the hidden <|im_end|> predicts 198, and "\\n", which does not see it, the
  last <|im_end|>.
- avg_loss is the float32 sum over count(labels), prob its float32 exp(-x). The five perturbed answers
  are five batches. Padding changes rounding only.*
- Its cross-entropy is taken over logits transposed to [rows, V, T]. There torch 2.4.1 on the processor
  adds exp(x - max) up in one float32 a token, in the order of the vocabulary, which loses small terms:
  losses are about 1.1e-4 nats too low, probabilities as much too high, which is more than the 1e-4
  asked for. The same is m = max x; s = 0; for each v: s += exp(x[v] - m); log(s) - (x[label] - m), all
  float32.* "exact_avg_loss" is what float64 gives on the same logits.
Truth ratio, in float64
- exp(-mean_j avg_loss_j) / (exp(-avg_loss) + 1e-10) with paraphrased (forget, retain) or true answer
  (others) below. Aggregates: mean(min(r, 1 / (r + 1e-10))), mean(max(0, 1 - r)); with options:
  p / (p + sum p_j + 1e-10). "forget_truth_ratio" is spelled so, "retain_Truth_Ratio" and kin so.
Generation
- Left padding, mask ids != 2 again, but positions are cumsum(mask) - 1: here <|im_end|> is not counted
  and the gap closes, unlike in scoring. It equals generation from the prompt with every 2 taken out.*
- Greedy, 200 new tokens, stops at 2 only; other special tokens neither stop nor show. No stop words.
- The text is decoded without special tokens and with clean_up_tokenization_spaces=True, whatever the
  tokenizer says: " ." " ?" " !" " ," lose their space, then " ' " becomes "'", then " n't" " 'm" " 's"
  " 've" " 're" lose theirs, one replacement over the whole text after the other.* Then it is cut at a
  "<|im_end|>" that was spelled out, and stripped (Python: Unicode white space).
- The reference is the answer cleaned up and stripped likewise (the decoded chat, from which every
  occurrence of the decoded prompt is taken out). rouge_score with stemming, reference first.
Other metrics
- Exact memorisation, extraction strength, Min-K and Min-K++ leave the last label out: ids(answer), 2,
  198. LOSS and ZLib (length of the compressed answer + "\\n") do not. Extraction strength is never 0: without
  a matching end it is 1 / n. Min-K takes int(0.4 n), at least 1.
Precision
- Its configurations say bfloat16 and flash attention, for GPUs. Here float32 and torch's attention.
"""
import argparse
import json
import os
import sys
import tempfile

import open_unlearning
from open_unlearning import DATA, ROOT, peer_tree

LIMITS = {"forget10_perturbed": 6, "world_facts_perturbed": 4}
METRICS = ["forget_Truth_Ratio", "forget_Q_A_Prob", "forget_Q_A_ROUGE", "exact_memorization", "extraction_strength",
           "wf_Truth_Ratio", "wf_Q_A_Prob", "wf_Q_A_PERT_Prob", "wf_Q_A_Prob_normalised", "wf_Q_A_ROUGE"]
EOS, NEWLINE = 2, 198


def check_scores(network, item, n_prompt, avg_loss):
    """The statements marked * on tokens, scoring and its arithmetic. -> avg_loss with a cross-entropy in
    float64, and with the whole model in it."""
    import torch

    ids, labels = item["input_ids"], item["labels"]
    assert ids[-3:].tolist() == [EOS, NEWLINE, EOS]
    assert labels[:n_prompt].eq(-100).all() and labels[n_prompt:].equal(ids[n_prompt:])
    # Alone, without the prompt's hidden tokens, at the positions that the others had.
    kept = torch.cat([(ids[:n_prompt] != EOS).nonzero()[:, 0], torch.arange(n_prompt, len(ids))])
    inputs = dict(input_ids=ids[kept][None], attention_mask=(ids[kept] != EOS)[None], position_ids=kept[None])
    targets, rows = labels[n_prompt:], slice(n_prompt - 1 - (len(ids) - len(kept)), -1)

    def exact(logits):
        return torch.nn.functional.cross_entropy(logits.double(), targets).item()

    with torch.no_grad():
        logits = network(**inputs).logits[0, rows]
        in_float64 = exact(network.double()(**inputs).logits[0, rows])
        network.float()
    largest = logits.max(-1, keepdim=True).values
    sums = (logits - largest).exp().numpy().cumsum(-1, dtype="float32")[:, -1]  # one addition after the other
    chosen = (logits - largest).gather(-1, targets[:, None])[:, 0]
    same = (torch.from_numpy(sums).log() - chosen).mean().item()
    assert abs(same - avg_loss) < 5e-6 * avg_loss, (same, avg_loss)
    return exact(logits), in_float64


def check_generation(network, tokenizer, prompt, text):
    """The statements marked * on generation. -> the ids; the smallest lead, in float64 logits, of a choice
    over the second, and which choice: one that is too close for float32 is not a difference to speak of."""
    import torch

    bare = torch.tensor([[i for i in prompt if i != EOS]])
    out = network.generate(bare, attention_mask=torch.ones_like(bare), do_sample=False, temperature=None, top_p=None,
                           max_new_tokens=200, pad_token_id=EOS)
    ids = out[0, bare.shape[1]:].tolist()
    alone = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    for mark in ".?!,":
        alone = alone.replace(" " + mark, mark)
    alone = alone.replace(" ' ", "'")
    for end in ("n't", "'m", "'s", "'ve", "'re"):
        alone = alone.replace(" " + end, end)
    assert alone.split("<|im_end|>")[0].strip() == text, (alone, text)
    with torch.no_grad():
        values, best = network.double()(out).logits[0, bare.shape[1] - 1:-1].double().topk(2)
        network.float()
    assert best[:, 0].tolist() == ids
    lead, at = (values[:, 0] - values[:, 1]).min(0)
    return ids, lead.item(), at.item()


def attacks(network, tokenizer, config, data):
    """Row -> scores of the peer's attacks that need the item alone."""
    from data import get_collators
    from evals.metrics.mia import LOSSAttack, MinKPlusPlusAttack, MinKProbAttack, ZLIBAttack

    metric = config.eval.tofu.metrics.forget_Q_A_Prob
    kwargs = dict(model=network, data=data, batch_size=metric.batch_size, tokenizer=tokenizer, k=0.4,
                  collator=get_collators(metric.collators, tokenizer=tokenizer))
    kinds = {"loss": LOSSAttack, "zlib": ZLIBAttack, "min_k": MinKProbAttack, "min_k_plus_plus": MinKPlusPlusAttack}
    scores = {name: attack(**kwargs).attack()["value_by_index"] for name, attack in kinds.items()}
    return {row: {name: rows[row]["score"] for name, rows in scores.items()} for row in scores["loss"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", default=DATA)
    parser.add_argument("--out", default=os.path.join(ROOT, "tests/golden/parity.golden.json"))
    args = parser.parse_args()
    with peer_tree(args.peer) as (peer, commit), tempfile.TemporaryDirectory(prefix="expunge-peer-") as folder:
        log, _, network, tokenizer, config, _ = open_unlearning.evaluate(peer, args.model, args.data, LIMITS, METRICS,
                                                                         folder)
        golden = {"about": __doc__, "peer": {"commit": commit, **open_unlearning.versions()},
                  "template_args": {"apply_chat_template": True}, "sets": {}}
        from data import get_datasets

        metrics = config.eval.tofu.metrics

        def dataset(metric):
            return get_datasets(metric.datasets, tokenizer=tokenizer, template_args=config.model.template_args)

        def values(metric, row):
            return log[metric]["value_by_index"][str(row)]

        truth = metrics.forget_truth_ratio.pre_compute
        floors, errors = [], []
        # Name of the set, prefix of its metrics, its truth ratio, data sets of its answers
        for name, prefix, ratio, true, paraphrased, perturbed in [
                ("forget", "forget", "forget_truth_ratio", dataset(metrics.forget_Q_A_Prob),
                 dataset(truth.forget_Q_A_PARA_Prob), dataset(truth.forget_Q_A_PERT_Prob)),
                ("world_facts", "wf", "wf_Truth_Ratio", dataset(metrics.wf_Q_A_Prob), None,
                 dataset(metrics.wf_Q_A_PERT_Prob))]:
            prompts = dataset(metrics[prefix + "_Q_A_ROUGE"])
            attacked = attacks(network, tokenizer, config, true) if name == "forget" else {}

            def answer(text, prompt, item, scores):
                exact, in_float64 = check_scores(network, item, len(prompt), scores["avg_loss"])
                floors.append(abs(exact - in_float64) / in_float64)
                errors.append(abs(scores["avg_loss"] - exact))
                labels = item["labels"][len(prompt):].tolist()
                return {"answer": text, "label_ids": labels, **scores, "exact_avg_loss": exact}

            rows = golden["sets"][name] = []
            for row, item in enumerate(true):
                texts = true.data[row]
                prompt = prompts[row]["input_ids"].tolist()
                rouge = values(prefix + "_Q_A_ROUGE", row)
                record = {"row": row, "question": texts["question"], "prompt_ids": prompt,
                          **answer(texts["answer"], prompt, item, values(prefix + "_Q_A_Prob", row))}
                if paraphrased is not None:
                    record["paraphrased"] = answer(texts["paraphrased_answer"], prompt, paraphrased[row],
                                                   values(prefix + "_Q_A_PARA_Prob", row))
                wrong = values(prefix + "_Q_A_PERT_Prob", row)
                record["perturbed"] = [
                    answer(text, prompt, perturbed[row][i], {key: scores[i] for key, scores in wrong.items()})
                    for i, text in enumerate(texts["perturbed_answer"])]
                record["truth_ratio"] = values(ratio, row)["score"]
                if name == "forget":
                    record["exact_memorization"] = values("exact_memorization", row)["score"]
                    record["extraction_strength"] = values("extraction_strength", row)["score"]
                    record["attacks"] = attacked[str(row)]
                else:
                    record["prob_normalised"] = values("wf_Q_A_Prob_normalised", row)["prob"]
                record.update({key: rouge[key] for key in ("ground_truth", "generation", "rouge1_recall",
                                                           "rougeL_recall", "rougeL_f1")})
                ids, lead, at = check_generation(network, tokenizer, prompt, rouge["generation"])
                record.update(generated_ids=ids, smallest_lead=lead, smallest_lead_at=at)
                rows.append(record)
        # Of exact_avg_loss against the whole model in float64, relative; of avg_loss against the former, nats.
        golden["float32_floor"], golden["cross_entropy_error"] = max(floors), max(errors)
        golden["summary"] = {key: value["agg_value"] for key, value in sorted(log.items())}
    text = json.dumps(golden, ensure_ascii=False, indent=1)
    # A list of numbers stands on one line.
    lines, inside = [], None
    for line in text.split("\n"):
        if inside is None and line.endswith("_ids\": ["):
            inside = [line]
        elif inside is not None:
            inside.append(line.strip())
            if inside[-1].startswith("]"):
                lines.append("".join(inside))
                inside = None
        else:
            lines.append(line)
    with open(args.out, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    print(f"{args.out}: float32 floor {max(floors):.1e}, cross-entropy error {max(errors):.1e} nats", file=sys.stderr)


if __name__ == "__main__":
    main()
