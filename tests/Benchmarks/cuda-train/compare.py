#!/usr/bin/env python3
"""Training on a CUDA card: `asr bench train` beside Hugging Face's Seq2SeqTrainer (and PEFT), one after the other on the same card.

Both train random weights of the same dimensions on random examples of the same shapes, with the same batch, precision, adapter and
number of steps; steps before the clock starts are excluded in both. Prints one JSON object: both results and the ratio of samples a
second. Needs torch with CUDA, transformers, and peft for --lora-r; Python is the peer's, nothing here is used at run time.

    python3 tests/Benchmarks/cuda-train/compare.py --dims small --batch 16 --seconds 30 --precision bf16 --steps 20 [--lora-r 16]

This script has not been run: the machines that the project was built on had no CUDA card. Expect to mend it before you trust it.
Two differences remain, both to our disadvantage: ours extracts its features from samples in its data loader, the peer is given finished
ones; and ours starts by writing and reading a checkpoint (outside the clock).
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
SIZES = {"tiny": (384, 6, 4), "base": (512, 8, 6), "small": (768, 12, 12)}
WARM_UP = 2  # as asr bench train
TOKENS_PER_SECOND = 3  # as asr bench train
VOCABULARY, END_OF_TEXT, START = 51865, 50257, 50258


def ours(options):
    command = [str(ROOT / "asr"), "bench", "train", "--dims", options.dims, "--batch", str(options.batch), "--seconds", str(options.seconds),
               "--precision", options.precision, "--steps", str(options.steps), "--device", "cuda", "--encoder-context", "full"]
    if options.lora_r:
        command += ["--lora-r", str(options.lora_r)]
    if options.gradient_checkpointing:
        command += ["--gradient-checkpointing"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"asr bench train failed: {done.stderr.strip()}")
    result = json.loads(done.stdout)
    return {"samplesPerSecond": result["samplesPerSecond"], "stepMilliseconds": result["stepMilliseconds"], "trainableParameters": result["trainableParameters"]}


def theirs(options):
    import torch
    from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, TrainerCallback, WhisperConfig, WhisperForConditionalGeneration

    if not torch.cuda.is_available():
        sys.exit("torch sees no CUDA card")
    width, heads, layers = SIZES[options.dims]
    torch.manual_seed(1)
    model = WhisperForConditionalGeneration(WhisperConfig(
        d_model=width, encoder_layers=layers, decoder_layers=layers, encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width, decoder_ffn_dim=4 * width, vocab_size=VOCABULARY, num_mel_bins=80, max_source_positions=1500,
        max_target_positions=448, decoder_start_token_id=START, eos_token_id=END_OF_TEXT, pad_token_id=END_OF_TEXT, bos_token_id=END_OF_TEXT,
        use_cache=False))
    if options.lora_r:
        from peft import LoraConfig, get_peft_model
        model = get_peft_model(model, LoraConfig(r=options.lora_r, lora_alpha=2 * options.lora_r, target_modules=["q_proj", "v_proj"]))
        if options.gradient_checkpointing:
            model.enable_input_require_grads()

    labels = int(TOKENS_PER_SECOND * options.seconds) + 1  # the start token is put before them by the model, the end is one of them

    class Noise(torch.utils.data.Dataset):
        def __len__(self):
            return 4 * options.batch

        def __getitem__(self, index):
            generator = torch.Generator().manual_seed(index)
            tokens = torch.randint(0, END_OF_TEXT, (labels,), generator=generator)
            tokens[-1] = END_OF_TEXT
            return {"input_features": torch.randn(80, 3000, generator=generator), "labels": tokens}

    class Clock(TrainerCallback):
        start = end = None

        def on_step_end(self, args, state, control, **kwargs):
            if state.global_step in (WARM_UP, WARM_UP + options.steps):
                torch.cuda.synchronize()
                if state.global_step == WARM_UP:
                    self.start = time.perf_counter()
                else:
                    self.end = time.perf_counter()

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = Seq2SeqTrainer(
            model=model, train_dataset=Noise(), callbacks=[clock],
            args=Seq2SeqTrainingArguments(
                output_dir=folder, per_device_train_batch_size=options.batch, max_steps=WARM_UP + options.steps,
                bf16=options.precision == "bf16", fp16=options.precision == "fp16", gradient_checkpointing=options.gradient_checkpointing,
                learning_rate=1e-5, save_strategy="no", logging_strategy="no", report_to="none", remove_unused_columns=False,
                label_names=["labels"], dataloader_num_workers=4, dataloader_pin_memory=True))
        torch.cuda.reset_peak_memory_stats()
        trainer.train()
    seconds = clock.end - clock.start
    return {
        "samplesPerSecond": round(options.batch * options.steps / seconds, 2),
        "stepMilliseconds": round(1000 * seconds / options.steps, 1),
        "trainableParameters": sum(p.numel() for p in model.parameters() if p.requires_grad),
        "peakDeviceMemoryMiB": round(torch.cuda.max_memory_allocated() / 2**20, 1),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dims", choices=SIZES, default="small")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30, help="length of an utterance: how many labels it has; the encoder's context is 30 s in both")
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="bf16")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--lora-r", type=int, default=0)
    parser.add_argument("--gradient-checkpointing", action="store_true")
    options = parser.parse_args()

    # Ours first and in a process of its own: the card's memory is free again before the peer starts.
    mine = ours(options)
    peer = theirs(options)
    print(json.dumps({
        "settings": vars(options),
        "asr": mine,
        "transformers": peer,
        "ratio": round(mine["samplesPerSecond"] / peer["samplesPerSecond"], 3),
    }, indent=2))


if __name__ == "__main__":
    main()
