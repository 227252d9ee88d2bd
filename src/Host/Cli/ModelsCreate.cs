using System.CommandLine;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr models create</c>: an untrained checkpoint with a tokenizer of its own, or a deeper one out of a trained one.</summary>
internal static class ModelsCreate
{
    public static Command Create()
    {
        var defaults = new FreshCheckpointOptions();
        var output = new Option<string>("--output-dir") { Description = "the new checkpoint's folder", HelpName = "DIR", Required = true };
        var texts = new Option<string[]>("--texts")
        {
            Description = "UTF-8 files, an utterance a line, from which the tokenizer is learnt",
            HelpName = "FILE",
            AllowMultipleArgumentsPerToken = true,
        };
        var growFrom = new Option<string?>("--grow-from")
        {
            Description = "instead of texts: a trained checkpoint's folder; the new one has more layers and computes the same until it is trained",
            HelpName = "MODEL_DIR",
        };
        var languages = new Option<string[]>("--languages")
        {
            Description = "codes of the languages that get a token",
            HelpName = "xx",
            AllowMultipleArgumentsPerToken = true,
            DefaultValueFactory = _ => [.. defaults.Languages],
        };
        var vocabulary = Number("--vocabulary", "learnt tokens, the 256 bytes included", defaults.Vocabulary);
        var width = Number("--width", "width of the states", defaults.Width);
        var encoderLayers = Number("--encoder-layers", "layers of the encoder; with --grow-from no fewer than there are, and by default as many", defaults.EncoderLayers);
        var decoderLayers = Number("--decoder-layers", "layers of the decoder; as with --encoder-layers", defaults.DecoderLayers);
        var heads = Number("--heads", "attention heads of a layer", defaults.Heads);
        var feedForward = new Option<int?>("--ffn") { Description = "inner width of the feed-forward layers; default: four times --width", HelpName = "N" };
        var context = Number("--context-seconds", "what the encoder hears at once, 1 to 30", defaults.ContextSeconds);
        var melBins = Number("--mel-bins", "mel bins", defaults.MelBins);
        var maxTokens = Number("--max-tokens", "positions of the decoder", defaults.MaxTokens);
        var dropout = new Option<double>("--dropout") { Description = "dropout in training", HelpName = "X", DefaultValueFactory = _ => defaults.Dropout };
        var deviation = new Option<double>("--init-std") { Description = "standard deviation of the random weights", HelpName = "X", DefaultValueFactory = _ => defaults.InitStd };
        var seed = Number("--seed", "seed of the weights", defaults.Seed);
        var command = new Command("create", "Makes a small untrained Whisper checkpoint: a byte-level BPE learnt from texts, configurations, random weights. 'train' teaches it. With --grow-from, a deeper checkpoint out of a trained one.");
        Option[] others = [texts, languages, vocabulary, width, heads, feedForward, context, melBins, maxTokens, dropout, deviation, seed];
        foreach (var option in (Option[])[output, growFrom, encoderLayers, decoderLayers, .. others])
        {
            command.Options.Add(option);
        }

        command.Validators.Add(result =>
        {
            bool IsGiven(Option option) => result.GetResult(option) is { Implicit: false };
            if (!IsGiven(growFrom))
            {
                if (!IsGiven(texts))
                {
                    result.AddError("Give --texts for an untrained checkpoint, or --grow-from for a deeper one out of a trained one.");
                }
            }
            else if (others.Where(IsGiven).Select(option => option.Name).ToArray() is { Length: > 0 } given)
            {
                result.AddError($"--grow-from makes a checkpoint that has everything but the number of layers from the trained one: leave out {string.Join(", ", given)}.");
            }
        });
        command.SetAction((parsed, cancellationToken) => Task.Run(() => Run(parsed, cancellationToken), CancellationToken.None));
        return command;

        int Run(ParseResult parsed, CancellationToken cancellationToken)
        {
            var folder = parsed.GetValue(output)!;
            if (parsed.GetValue(growFrom) is { } trained)
            {
                GrownCheckpoint.Write(trained, folder, Given(parsed, encoderLayers), Given(parsed, decoderLayers), cancellationToken);
            }
            else
            {
                WriteFresh(parsed, folder);
            }

            using var checkpoint = WhisperCheckpoint.Open(folder);
            Console.WriteLine(FormattableString.Invariant(
                $"{folder}: {checkpoint.ParameterCount / 1e6:0.00} M parameters, {WhisperTokenizer.Load(folder).VocabularySize} tokens"));
            return 0;
        }

        void WriteFresh(ParseResult parsed, string folder)
        {
            var lines = parsed.GetValue(texts)!.SelectMany(ReadLines);
            FreshCheckpoint.Write(folder, lines, new FreshCheckpointOptions
            {
                Vocabulary = parsed.GetValue(vocabulary),
                Languages = [.. parsed.GetValue(languages)!],
                Width = parsed.GetValue(width),
                EncoderLayers = parsed.GetValue(encoderLayers),
                DecoderLayers = parsed.GetValue(decoderLayers),
                Heads = parsed.GetValue(heads),
                FeedForward = parsed.GetValue(feedForward),
                ContextSeconds = parsed.GetValue(context),
                MelBins = parsed.GetValue(melBins),
                MaxTokens = parsed.GetValue(maxTokens),
                Dropout = parsed.GetValue(dropout),
                InitStd = parsed.GetValue(deviation),
                Seed = parsed.GetValue(seed),
            });
        }
    }

    private static int? Given(ParseResult parsed, Option<int> option) =>
        parsed.GetResult(option) is { Implicit: false } ? parsed.GetValue(option) : null;

    private static Option<int> Number(string name, string description, int fallback) =>
        new(name) { Description = description, HelpName = "N", DefaultValueFactory = _ => fallback };

    private static string[] ReadLines(string path)
    {
        try
        {
            return [.. File.ReadLines(path).Where(line => line.Length > 0)];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"{path} cannot be read: {error.Message}", error);
        }
    }
}
