using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using AsrPlatform.Abstractions;
using AsrPlatform.Whisper.Checkpoints;
using AsrPlatform.Whisper.Tokens;

namespace AsrPlatform.Host.Cli;

/// <summary><c>asr models list|show|pull|create|average|align</c>: the checkpoints on this machine.</summary>
internal static class ModelsCommand
{
    public static Command Create()
    {
        var command = new Command("models", "Lists, describes, downloads and makes checkpoints.");
        command.Subcommands.Add(CreateList());
        command.Subcommands.Add(CreateShow());
        command.Subcommands.Add(ModelsPull.Create());
        command.Subcommands.Add(ModelsCreate.Create());
        command.Subcommands.Add(ModelsAverage.Create());
        command.Subcommands.Add(ModelsAlign.Create());
        return command;
    }

    private static Command CreateList()
    {
        var dataDirectory = new Option<string?>("--data-dir") { Description = "the data folder; default: ASR_DATA_DIR, else the user's", HelpName = "DIR" };
        var json = new Option<bool>("--json") { Description = "one JSON array" };
        var command = new Command("list", "Lists the demo model and the checkpoints in the data folder.");
        command.Options.Add(dataDirectory);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            var folder = DataDirectory.Models(DataDirectory.Resolve(parsed.GetValue(dataDirectory)));
            var models = Folders(folder).Select(Describe).ToArray();
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(models, ModelsJson.Default.ModelDescriptionArray));
            }
            else if (models.Length == 0)
            {
                Console.WriteLine($"no checkpoint in {folder}");
            }
            else
            {
                foreach (var model in models)
                {
                    Console.WriteLine(model.Error is { } error
                        ? $"{model.Directory}\n    unusable: {error}"
                        : $"{model.Directory}\n    {Millions(model.Parameters)} parameters, {model.Languages.Count} languages, {model.VocabularySize} tokens");
                }
            }

            return 0;
        });
        return command;
    }

    private static Command CreateShow()
    {
        var directory = new Argument<string>("DIR") { Description = "a checkpoint folder" };
        var json = new Option<bool>("--json") { Description = "one JSON object" };
        var command = new Command("show", "Checks a checkpoint and says what is in it.");
        command.Arguments.Add(directory);
        command.Options.Add(json);
        command.SetAction(parsed =>
        {
            var model = Open(parsed.GetValue(directory)!);
            if (parsed.GetValue(json))
            {
                Console.WriteLine(JsonSerializer.Serialize(model, ModelsJson.Default.ModelDescription));
                return 0;
            }

            var languages = model.Languages.Count <= 12
                ? string.Join(' ', model.Languages)
                : $"{string.Join(' ', model.Languages.Take(12))} … ({model.Languages.Count})";
            Console.WriteLine($"""
                folder       {model.Directory}
                size         {Millions(model.Parameters)} parameters, {Bytes(model.WeightBytes)} of weights ({string.Join(", ", model.ElementTypes)})
                encoder      {model.EncoderLayers} layers, width {model.Width}, {model.EncoderHeads} heads, {model.MelBins} mel bins, {model.ContextSeconds.ToString(CultureInfo.InvariantCulture)} s
                decoder      {model.DecoderLayers} layers, {model.DecoderHeads} heads, {model.MaxTokens} tokens
                vocabulary   {model.VocabularySize} tokens
                languages    {(model.Languages.Count == 0 ? "English alone" : languages)}
                word times   {(model.AlignmentHeads.Count == 0 ? "by all heads of the upper half of the decoder (none is named)" : "by the heads " + string.Join(' ', model.AlignmentHeads))}
                """);
            return 0;
        });
        return command;
    }

    private static IEnumerable<string> Folders(string modelsDirectory)
    {
        if (ModelOptions.FindDemoModel() is { } demo)
        {
            yield return demo;
        }

        if (!Directory.Exists(modelsDirectory))
        {
            yield break;
        }

        foreach (var config in Directory.EnumerateFiles(modelsDirectory, WhisperConfig.FileName, new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }).Order(StringComparer.Ordinal))
        {
            yield return Path.GetDirectoryName(config)!;
        }
    }

    private static ModelDescription Describe(string directory)
    {
        try
        {
            return Open(directory);
        }
        catch (AsrException error)
        {
            return new ModelDescription { Directory = directory, Error = error.Message };
        }
    }

    private static ModelDescription Open(string directory)
    {
        using var checkpoint = WhisperCheckpoint.Open(directory);
        var tokenizer = WhisperTokenizer.Load(directory);
        var config = checkpoint.Config;
        return new ModelDescription
        {
            Directory = Path.GetFullPath(directory),
            Parameters = checkpoint.ParameterCount,
            WeightBytes = checkpoint.Weights.Tensors.Values.Sum(tensor => tensor.ByteLength),
            ElementTypes = [.. checkpoint.Weights.Tensors.Values.Select(tensor => tensor.ElementType.SafetensorsName()).Distinct().Order(StringComparer.Ordinal)],
            Width = config.DModel,
            EncoderLayers = config.EncoderLayers,
            EncoderHeads = config.EncoderAttentionHeads,
            DecoderLayers = config.DecoderLayers,
            DecoderHeads = config.DecoderAttentionHeads,
            MelBins = config.NumMelBins,
            ContextSeconds = config.MaxFrames * checkpoint.Preprocessor.HopLength / (double)checkpoint.Preprocessor.SampleRateHz,
            MaxTokens = config.MaxTargetPositions,
            VocabularySize = config.VocabSize,
            Languages = [.. tokenizer.Languages.Select(language => language.Code)],
            AlignmentHeads = [.. checkpoint.Generation.AlignmentHeads.Select(head => $"{head.Layer}.{head.Head}")],
        };
    }

    private static string Millions(long count) => (count / 1e6).ToString("0.0 M", CultureInfo.InvariantCulture);

    private static string Bytes(long count) => (count / 1048576.0).ToString("0.0 MiB", CultureInfo.InvariantCulture);
}

/// <summary>What a checkpoint is.</summary>
internal sealed record ModelDescription
{
    public required string Directory { get; init; }

    public string? Error { get; init; }

    public long Parameters { get; init; }

    public long WeightBytes { get; init; }

    public IReadOnlyList<string> ElementTypes { get; init; } = [];

    public int Width { get; init; }

    public int EncoderLayers { get; init; }

    public int EncoderHeads { get; init; }

    public int DecoderLayers { get; init; }

    public int DecoderHeads { get; init; }

    public int MelBins { get; init; }

    public double ContextSeconds { get; init; }

    public int MaxTokens { get; init; }

    public int VocabularySize { get; init; }

    public IReadOnlyList<string> Languages { get; init; } = [];

    public IReadOnlyList<string> AlignmentHeads { get; init; } = [];
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ModelDescription))]
[JsonSerializable(typeof(ModelDescription[]))]
internal sealed partial class ModelsJson : JsonSerializerContext;
