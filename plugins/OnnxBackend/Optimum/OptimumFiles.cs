using System.Diagnostics.CodeAnalysis;

namespace AsrPlatform.OnnxBackend.Optimum;

/// <summary>The graphs of an Optimum export: the encoder, and the decoder in one file or in two.</summary>
/// <param name="Encoder">The encoder's file.</param>
/// <param name="Merged">The decoder with and without past, switched by an input; null where there are two files instead.</param>
/// <param name="First">The decoder without past; null where it is merged.</param>
/// <param name="Next">The decoder with past; null where it is merged.</param>
internal sealed record OptimumFiles(string Encoder, string? Merged, string? First, string? Next)
{
    /// <summary>The folder that exporters put graphs into, beside the small files.</summary>
    private const string Subfolder = "onnx";

    private const string EncoderName = "encoder_model";
    private const string MergedName = "decoder_model_merged";
    private const string FirstName = "decoder_model";
    private const string NextName = "decoder_with_past_model";

    /// <summary>Precisions by their suffix, the most exact first: on the processor half precision gains nothing.</summary>
    private static readonly string[] AutomaticSuffixes = ["", "_quantized", "_int8", "_fp16"];

    /// <summary>Whether a folder holds graphs, those of an incomplete export too.</summary>
    public static bool HasAny(string directory) =>
        Array.Exists([directory, Path.Combine(directory, Subfolder)], static folder => Directory.Exists(folder) && Directory.EnumerateFiles(folder, "*.onnx").Any());

    /// <summary>Finds the graphs of a folder.</summary>
    /// <param name="directory">The model's folder; the graphs lie in it or in its folder <c>onnx</c>.</param>
    /// <param name="precision"><c>auto</c>, <c>fp32</c> (no suffix) or a suffix without its underscore.</param>
    /// <param name="files">The files.</param>
    /// <param name="reason">Why there are none.</param>
    public static bool TryFind(string directory, string precision, [NotNullWhen(true)] out OptimumFiles? files, [NotNullWhen(false)] out string? reason)
    {
        files = null;
        string[] suffixes = precision.ToLowerInvariant() switch
        {
            "auto" => AutomaticSuffixes,
            "fp32" => [""],
            var other => [$"_{other}"],
        };
        var folder = Array.Find([directory, Path.Combine(directory, Subfolder)], folder => Find(folder, EncoderName, suffixes) is not null);
        if (folder is null)
        {
            reason = $"{directory} holds no ONNX export: expected {Listed(suffixes, EncoderName)} and {Listed(suffixes, MergedName)} in it or in its folder {Subfolder}";
            return false;
        }

        var encoder = Find(folder, EncoderName, suffixes)!;
        if (Find(folder, MergedName, suffixes) is { } merged)
        {
            // One session holds the weights once, two would hold them twice.
            files = new OptimumFiles(encoder, merged, null, null);
            reason = null;
            return true;
        }

        var first = Find(folder, FirstName, suffixes);
        var next = Find(folder, NextName, suffixes);
        if (first is not null && next is not null)
        {
            files = new OptimumFiles(encoder, null, first, next);
            reason = null;
            return true;
        }

        reason = (first, next) switch
        {
            (null, null) => $"{Path.Combine(folder, MergedName + suffixes[0] + ".onnx")} is missing: expected it, or {FirstName} and {NextName}, beside {Path.GetFileName(encoder)}",
            (null, _) => $"{Path.Combine(folder, FirstName + suffixes[0] + ".onnx")} is missing: expected it beside {Path.GetFileName(next)}",
            _ => $"{Path.Combine(folder, NextName + suffixes[0] + ".onnx")} is missing: expected it beside {Path.GetFileName(first)} (export the decoder with its past: text-generation-with-past and the like)",
        };
        return false;
    }

    private static string? Find(string folder, string name, string[] suffixes) =>
        suffixes.Select(suffix => Path.Combine(folder, name + suffix + ".onnx")).FirstOrDefault(File.Exists);

    private static string Listed(string[] suffixes, string name) => name + suffixes[0] + ".onnx";
}
