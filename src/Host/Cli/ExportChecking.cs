using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Models;
using AsrPlatform.Host.Learning.Data;
using AsrPlatform.Host.Learning.Datasets;
using AsrPlatform.Host.Learning.Evaluation;
using AsrPlatform.Host.Plugins;
using AsrPlatform.Host.Serving;
using AsrPlatform.Whisper;
using AsrPlatform.Whisper.Files;

namespace AsrPlatform.Host.Cli;

/// <summary>What <c>export onnx</c> and <c>export check</c> share: an export is compared, on speech, with the model that it was made from.</summary>
internal sealed class ExportChecking
{
    /// <summary>What was measured, in the export's folder.</summary>
    public const string FileName = "export_check.json";

    private const int DefaultUtterances = 24;

    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    public Option<string?> Speech { get; } = new("--check") { Description = "speech to compare on: a manifest (.jsonl, .csv, .tsv) or a folder with metadata.csv; default: the model's anchor set", HelpName = "MANIFEST" };

    private readonly Option<int> _utterances = new("--check-utterances") { Description = "utterances to compare on, at most", HelpName = "N", DefaultValueFactory = _ => DefaultUtterances };
    private readonly Option<double?> _errorRate = Tolerance("--max-wer-increase", "by how much the word error rate may rise, as a fraction; default: by precision");
    private readonly Option<double?> _mean = Tolerance("--max-mean-difference", "how far logits may differ on average; default: by precision");
    private readonly Option<double?> _largest = Tolerance("--max-difference", "how far a logit may differ; default: by precision");

    public void AddTo(Command command)
    {
        command.Options.Add(Speech);
        command.Options.Add(_utterances);
        command.Options.Add(_errorRate);
        command.Options.Add(_mean);
        command.Options.Add(_largest);
    }

    /// <summary>Compares an export with its model.</summary>
    /// <param name="catalog">The plugins.</param>
    /// <param name="parsed">The options.</param>
    /// <param name="request">The model, and the adapter that was merged.</param>
    /// <param name="exported">The export's folder.</param>
    /// <param name="precision">What it was exported as: fp32, fp16 or int8. It decides what is tolerated.</param>
    /// <param name="progress">Told the share done, 0…1.</param>
    /// <param name="cancellationToken">Stops.</param>
    /// <returns>What was found.</returns>
    /// <exception cref="AsrException">The speech cannot be used, or one of both does not load.</exception>
    public ExportCheckResult Run(
        PluginCatalog catalog, ParseResult parsed, ModelRequest request, string exported, string precision, Action<double> progress, CancellationToken cancellationToken)
    {
        var source = request.Load.ModelDirectory!;
        var speech = parsed.GetValue(Speech) ?? (AnchorSet.Find(null, source) is { } anchor ? Path.Combine(anchor, AnchorSet.AnchorFile) : null);
        if (speech is null)
        {
            return ExportCheckResult.Nothing("the model brings no speech; name some with --check MANIFEST");
        }

        var count = parsed.GetValue(_utterances) is var given and > 0 ? given : throw new AsrException($"--check-utterances {parsed.GetValue(_utterances)}: give 1 or more");
        var manifest = Manifest.Read(speech).Sample(count);
        if (!TryFind(catalog, exported, "the export", except: null, out var runner, out var reason)
            || !TryFind(catalog, source, "the model itself", except: runner!.Name, out var original, out reason))
        {
            return ExportCheckResult.Nothing(reason!);
        }

        using var reference = Load(catalog, request with { Backend = original!.Name }, cancellationToken);
        using var model = Load(catalog, new ModelRequest(runner.Name, request.Load with { ModelDirectory = exported }), cancellationToken);
        var comparison = ModelComparison.Run(reference, model, manifest, progress, cancellationToken);
        var tolerances = ExportTolerances.Of(precision);
        return new ExportCheckResult(
            comparison,
            new ExportTolerances(
                parsed.GetValue(_errorRate) ?? tolerances.ErrorRate, parsed.GetValue(_mean) ?? tolerances.Mean, parsed.GetValue(_largest) ?? tolerances.Largest),
            precision,
            reference.Info.Backend,
            model.Info.Backend,
            WhyNot: null);
    }

    /// <summary>Writes what was found as JSON.</summary>
    public static void Write(string path, ExportCheckResult result) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, Indented);
        result.Write(writer);
    });

    private static WhisperRecognizer Load(PluginCatalog catalog, ModelRequest request, CancellationToken cancellationToken) =>
        RecognizerLoader.Load(catalog, request, cancellationToken) as WhisperRecognizer
        ?? throw new AsrException($"{request.Load.ModelDirectory}: the backend \"{request.Backend}\" is no Seq2Seq backend");

    private static bool TryFind(PluginCatalog catalog, string directory, string what, string? except, out ISeq2SeqBackend? backend, out string? reason)
    {
        var candidates = BackendChoice.InOrder(catalog).Where(candidate => candidate.Name != except).ToArray();
        var reasons = new List<string>();
        backend = Array.Find(candidates, candidate =>
        {
            var can = candidate.CanLoad(directory, out var why);
            reasons.Add($"{candidate.Name}: {why}");
            return can;
        });
        reason = backend is not null ? null : $"no backend runs {what}{(reasons.Count > 0 ? $" ({string.Join("; ", reasons)})" : "")}";
        return backend is not null;
    }

    private static Option<double?> Tolerance(string name, string description)
    {
        var option = new Option<double?>(name) { Description = description, HelpName = "X" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double?>() is { } value && !(value >= 0))
            {
                result.AddError($"{name}: give 0 or more.");
            }
        });
        return option;
    }
}

/// <summary>How far an export may be from its model.</summary>
/// <param name="ErrorRate">Rise of the word error rate, as a fraction.</param>
/// <param name="Mean">Mean difference of logits.</param>
/// <param name="Largest">Largest difference of a logit.</param>
internal sealed record ExportTolerances(double ErrorRate, double Mean, double Largest)
{
    /// <summary>The defaults: some times what sound exports show. Of int8 the error rate is the judge, and logits tell damage.</summary>
    public static ExportTolerances Of(string precision) => precision switch
    {
        "int8" => new(0.03, 1, 10),
        "fp16" => new(0.01, 0.05, 1),
        _ => new(0.005, 0.002, 0.05),
    };
}

/// <summary>What a check found.</summary>
/// <param name="Comparison">What was measured; null where nothing was compared.</param>
/// <param name="Tolerances">What is tolerated.</param>
/// <param name="Precision">fp32, fp16 or int8.</param>
/// <param name="Reference">The backend that ran the model.</param>
/// <param name="Backend">The backend that ran the export.</param>
/// <param name="WhyNot">Why nothing was compared; null where it was.</param>
internal sealed record ExportCheckResult(
    ModelComparison? Comparison, ExportTolerances? Tolerances, string? Precision, string? Reference, string? Backend, string? WhyNot)
{
    /// <summary>Nothing was compared.</summary>
    public static ExportCheckResult Nothing(string whyNot) => new(null, null, null, null, null, whyNot);

    /// <summary>What is worse than is tolerated.</summary>
    public IReadOnlyList<string> Faults
    {
        get
        {
            var faults = new List<string>();
            if (Comparison is { } found && Tolerances is { } tolerated)
            {
                Check("the word error rate rises by", found.ErrorRate - found.ReferenceErrorRate, tolerated.ErrorRate);
                Check("logits differ on average by", found.MeanDifference, tolerated.Mean);
                Check("a logit differs by", found.LargestDifference, tolerated.Largest);
            }

            return faults;

            void Check(string what, double value, double limit)
            {
                if (!(value <= limit))
                {
                    faults.Add(string.Create(CultureInfo.InvariantCulture, $"{what} {value:G4}, and {limit:G4} is tolerated"));
                }
            }
        }
    }

    /// <summary>What was found, in a line.</summary>
    public string Summary => Comparison is not { } found ? $"nothing was compared: {WhyNot}" : string.Create(
        CultureInfo.InvariantCulture,
        $"compared with the model on {found.Utterances} utterances ({found.AudioSeconds:0} s): word error rate {100 * found.ReferenceErrorRate:0.00} % → {100 * found.ErrorRate:0.00} %, texts differ in {100 * found.TextDifference:0.00} % of words; logits at {found.Tokens} tokens differ by {found.MeanDifference:G3} on average, {found.LargestDifference:G3} at most, the best token is the same at {100 * found.SameToken:0.0} %");

    /// <summary>Writes the object of <see cref="ExportChecking.FileName"/>.</summary>
    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteBoolean("compared", Comparison is not null);
        if (Comparison is not { } found || Tolerances is not { } tolerated)
        {
            writer.WriteString("reason", WhyNot);
            writer.WriteEndObject();
            return;
        }

        writer.WriteBoolean("passed", Faults.Count == 0);
        writer.WriteString("precision", Precision);
        writer.WriteString("model_backend", Reference);
        writer.WriteString("export_backend", Backend);
        writer.WriteNumber("utterances", found.Utterances);
        writer.WriteNumber("audio_seconds", Math.Round(found.AudioSeconds, 2));
        writer.WriteStartObject("wer");
        Number("model", found.ReferenceErrorRate);
        Number("export", found.ErrorRate);
        Number("largest_increase_tolerated", tolerated.ErrorRate);
        Number("between_both", found.TextDifference);
        writer.WriteEndObject();
        writer.WriteStartObject("logits");
        writer.WriteNumber("tokens", found.Tokens);
        Number("mean_difference", found.MeanDifference);
        Number("mean_tolerated", tolerated.Mean);
        Number("largest_difference", found.LargestDifference);
        Number("largest_tolerated", tolerated.Largest);
        Number("same_best_token", found.SameToken);
        writer.WriteEndObject();
        writer.WriteStartArray("faults");
        foreach (var fault in Faults)
        {
            writer.WriteStringValue(fault);
        }

        writer.WriteEndArray();
        writer.WriteEndObject();

        void Number(string name, double value)
        {
            // JSON has no infinity.
            if (double.IsFinite(value))
            {
                writer.WriteNumber(name, value);
            }
            else
            {
                writer.WriteNull(name);
            }
        }
    }
}
