using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using AsrPlatform.Abstractions.Plugins;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>The processor and the memory.</summary>
internal static class MachineDiagnostics
{
    /// <summary>Below this a small checkpoint in float32 with its buffers does not fit.</summary>
    private const long LowMemoryBytes = 2L << 30;

    /// <summary>Says what the machine has.</summary>
    public static IEnumerable<DiagnosticItem> Describe()
    {
        yield return new DiagnosticItem("system", $"{RuntimeInformation.OSDescription}, {RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}");
        yield return new DiagnosticItem(".NET", RuntimeInformation.FrameworkDescription);
        yield return new DiagnosticItem("processor", $"{Field("/proc/cpuinfo", "model name") ?? "unknown"}; {string.Join(' ', Features())}");

        // What this process may use, a container's limit included.
        var total = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        var available = Field("/proc/meminfo", "MemAvailable") is { } text && long.TryParse(text.Split(' ')[0], NumberStyles.Integer, CultureInfo.InvariantCulture, out var kib)
            ? Math.Min(kib << 10, total)
            : (long?)null;
        var low = (available ?? total) < LowMemoryBytes;
        yield return new DiagnosticItem(
            "memory",
            available is { } free ? $"{Gib(free)} free of {Gib(total)}" : Gib(total),
            low ? DiagnosticLevel.Warning : DiagnosticLevel.Ok,
            low ? "end other programs, or use a small checkpoint (tiny, base)" : null);
    }

    private static string Gib(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):0.0} GiB");

    private static IEnumerable<string> Features()
    {
        (string Name, bool Supported)[] features =
        [
            ("SSE4.2", Sse42.IsSupported),
            ("AVX", Avx.IsSupported),
            ("AVX2", Avx2.IsSupported),
            ("FMA", Fma.IsSupported),
            ("AVX-VNNI", AvxVnni.IsSupported),
            ("AVX-512F", Avx512F.IsSupported),
            ("AVX-512BW", Avx512BW.IsSupported),
            ("AVX-512VBMI", Avx512Vbmi.IsSupported),
            ("NEON", AdvSimd.IsSupported),
            ("DotProd", Dp.IsSupported),
        ];
        return features.Where(feature => feature.Supported).Select(feature => feature.Name);
    }

    /// <summary>The first value of a key in one of the kernel's text files, or null.</summary>
    private static string? Field(string path, string key) => !File.Exists(path)
        ? null
        : File.ReadLines(path)
            .Where(line => line.StartsWith(key, StringComparison.Ordinal) && line.Contains(':', StringComparison.Ordinal))
            .Select(line => line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim())
            .FirstOrDefault();
}
