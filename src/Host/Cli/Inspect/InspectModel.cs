using System.CommandLine;
using System.Globalization;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Cli.Inspect;

/// <summary><c>asr inspect encoder|logits FILE</c>: what the model computes for a file, as a NumPy array.</summary>
internal static class InspectModel
{
    public static Command CreateEncoder()
    {
        var parts = new Parts("encoder", "Writes the encoder states of the first 30 s: float32 [positions, width].");
        parts.Command.SetAction((parsed, cancellationToken) => parts.RunAsync(
            parsed,
            (model, states) =>
            {
                var values = new float[states.Positions * model.Info.Width];
                states.CopyTo(values);
                return (values, [states.Positions, model.Info.Width]);
            },
            cancellationToken));
        return parts.Command;
    }

    public static Command CreateLogits()
    {
        var parts = new Parts("logits", "Writes the decoder's logits after each given token: float32 [tokens, vocabulary], teacher-forced.");
        var tokens = new Option<string>("--tokens") { Description = "token ids with commas, from <|startoftranscript|> on", HelpName = "IDS", Required = true };
        parts.Command.Options.Add(tokens);
        parts.Command.SetAction((parsed, cancellationToken) =>
        {
            var ids = ParseTokens(parsed.GetValue(tokens)!);
            return parts.RunAsync(
                parsed,
                (model, states) =>
                {
                    RequireFitting(ids, model.Info);
                    using var cache = model.CreateCache(states, [0], new DecoderCacheOptions { Capacity = ids.Length });
                    var logits = new float[checked(ids.Length * model.Info.VocabularySize)];
                    model.Decode(cache, ids, [], LogitPositions.All, logits, []);
                    return (logits, [ids.Length, model.Info.VocabularySize]);
                },
                cancellationToken);
        });
        return parts.Command;
    }

    private static int[] ParseTokens(string text)
    {
        var ids = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(part => int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                ? id
                : throw new AsrException($"--tokens: '{part}' is no token id"))
            .ToArray();
        return ids.Length > 0 ? ids : throw new AsrException("--tokens: give at least one token id");
    }

    private static void RequireFitting(int[] ids, Seq2SeqModelInfo info)
    {
        if (ids.FirstOrDefault(id => id >= info.VocabularySize, -1) is var outside and >= 0)
        {
            throw new AsrException($"--tokens: {outside} is outside the vocabulary of {info.VocabularySize} tokens");
        }

        if (ids.Length > info.MaxTargetPositions)
        {
            throw new AsrException($"--tokens: {ids.Length} tokens, the model takes {info.MaxTargetPositions} at the most");
        }
    }

    /// <summary>What both verbs share: options, loading, the encoder, writing.</summary>
    private sealed class Parts
    {
        private readonly Argument<string> _file = new("FILE") { Description = "an audio file" };
        private readonly Option<string> _output = new("--output") { Description = "the .npy file to write", HelpName = "X.npy", Required = true };
        private readonly ModelOptions _model = new();

        public Parts(string name, string description)
        {
            Command = new Command(name, description);
            Command.Arguments.Add(_file);
            Command.Options.Add(_output);
            _model.AddTo(Command);
        }

        public Command Command { get; }

        public async Task<int> RunAsync(
            ParseResult parsed,
            Func<ISeq2SeqModel, IEncoderStates, (float[] Values, int[] Shape)> compute,
            CancellationToken cancellationToken)
        {
            var request = _model.Read(parsed);
            var directory = request.Load.ModelDirectory ?? throw new AsrException("no model: give a checkpoint folder with --model DIR");
            var features = InspectFeatures.Extract(parsed.GetValue(_file)!, directory, cancellationToken);
            await using var catalog = _model.Plugins.Load(parsed);
            var backend = BackendChoice.Of(catalog, request.Backend, directory);
            var provider = request.AdapterDirectory is { } folder ? AdapterLoader.FindProvider(catalog, folder) : null;
            return await DedicatedThread.RunAsync(() =>
            {
                using var model = backend.Load(request.Load, cancellationToken);
                using var adapter = provider is null ? null : AdapterLoader.Activate(provider, model, request.AdapterDirectory!);
                using var states = model.Encode(features.Values, 1, features.Frames);
                var (values, shape) = compute(model, states);
                NpyWriter.Write(parsed.GetValue(_output)!, values, shape);
                return 0;
            });
        }
    }
}
