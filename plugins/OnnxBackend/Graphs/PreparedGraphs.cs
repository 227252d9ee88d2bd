using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Onnx;
using AsrPlatform.Onnx.Export;
using AsrPlatform.Whisper.Checkpoints;

namespace AsrPlatform.OnnxBackend.Graphs;

/// <summary>
/// Graphs of the fast layout that this backend makes itself of a checkpoint that nobody exported, and keeps in a cache folder, so that the next
/// start finds them. A folder of the cache may be deleted at any time when no program starts.
/// </summary>
internal sealed class PreparedGraphs(OnnxBackendOptions settings)
{
    /// <summary>What to make for the precision that is asked for; null where the fast layout has none such.</summary>
    private OnnxPrecision? Precision => settings.Precision.ToLowerInvariant() switch
    {
        "auto" or "int8" or "quantized" => OnnxPrecision.Int8,
        "fp32" => OnnxPrecision.Float32,
        _ => null,
    };

    /// <summary>Says whether graphs can be made of a folder.</summary>
    /// <param name="directory">A checkpoint folder.</param>
    /// <param name="reason">Why not, for the user.</param>
    public bool CanPrepare(string directory, out string? reason)
    {
        reason = !settings.PreparesCheckpoints ? $"{directory} holds no ONNX export, and Plugins:onnx-backend:PreparesCheckpoints is false"
            : Precision is null ? $"{directory} holds no ONNX export, and none in '{settings.Precision}' can be made at once: export it, or let Plugins:onnx-backend:Precision be auto, int8 or fp32"
            : !CheckpointWeights.Exist(directory) ? $"{directory} holds neither an ONNX export nor a checkpoint's weights"
            : !FastLayout.Fits(WhisperConfig.Load(directory)) ? $"{directory} holds no ONNX export, and the heads of its decoder are not a multiple of {FastLayout.HeadMultiple} wide, so that none can be made of it in the fast layout"
            : null;
        return reason is null;
    }

    /// <summary>The folder with the graphs of a checkpoint, made now where they are not there or the checkpoint has changed.</summary>
    /// <param name="directory">The checkpoint folder; see <see cref="CanPrepare"/>.</param>
    /// <param name="cancellationToken">Stops between two tensors; nothing is left behind.</param>
    /// <exception cref="AsrException">The checkpoint is broken, or no cache folder can be written.</exception>
    public string Prepare(string directory, CancellationToken cancellationToken)
    {
        var (precision, name) = Precision == OnnxPrecision.Int8 ? (OnnxPrecision.Int8, "int8") : (OnnxPrecision.Float32, "fp32");
        var source = Path.GetFullPath(directory);
        var model = Path.Combine(settings.CacheDirectory ?? DefaultCache(), Hash(source));
        var target = Path.Combine(model, $"{name}-{Hash(State(source))}");
        if (FastLayout.Exists(target))
        {
            return target;
        }

        try
        {
            Directory.CreateDirectory(model);
            var outdated = Directory.GetDirectories(model, name + "-*").Where(IsLeft).ToArray();

            // Weights in a file of their own are mapped; within the graph they would be read, and stand in memory twice while they are packed.
            OnnxExport.Write(source, target, new OnnxExportOptions { Layout = OnnxLayout.Fast, Precision = precision, MaxInlineBytes = 0 }, cancellationToken);
            foreach (var folder in outdated.Where(folder => folder != target))
            {
                DeleteQuietly(folder);
            }
        }
        catch (AsrException) when (FastLayout.Exists(target))
        {
            // Another process was faster with the same graphs.
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new AsrException($"ONNX graphs of {directory} cannot be kept in {model}: {error.Message} Name another folder by Plugins:onnx-backend:CacheDirectory.", error);
        }

        return target;
    }

    /// <summary>Whether nobody writes a folder any more: those that are being written end so.</summary>
    private static bool IsLeft(string folder) => !folder.EndsWith(".tmp", StringComparison.Ordinal) || Directory.GetLastWriteTimeUtc(folder) < TimeProvider.System.GetUtcNow().AddDays(-1);

    /// <summary>What the graphs depend on: the checkpoint's files by length and time, because reading gigabytes at every start takes long, and the exporter.</summary>
    private static string State(string directory)
    {
        var state = new StringBuilder(typeof(OnnxExport).Module.ModuleVersionId.ToString());
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles().Where(file => file.Extension is ".json" or ".safetensors").OrderBy(file => file.Name, StringComparer.Ordinal))
        {
            state.Append(CultureInfo.InvariantCulture, $"|{file.Name}|{file.Length}|{file.LastWriteTimeUtc.Ticks}");
        }

        return state.ToString();
    }

    /// <summary>The user's folder for caches; without a home, as in some containers, a temporary one.</summary>
    private static string DefaultCache()
    {
        var home = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given ? given
            : OperatingSystem.IsWindows() ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify)
            : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile, Environment.SpecialFolderOption.DoNotVerify) is { Length: > 0 } user ? Path.Combine(user, ".cache")
            : "";
        return Path.Combine(home.Length > 0 ? home : Path.GetTempPath(), "asr-platform", "onnx");
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, 8));

    private static void DeleteQuietly(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It only takes room.
        }
    }
}
