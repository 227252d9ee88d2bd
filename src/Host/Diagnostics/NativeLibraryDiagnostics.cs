using System.Runtime.InteropServices;
using AsrPlatform.Abstractions.Plugins;
using AsrPlatform.Host.Plugins;

namespace AsrPlatform.Host.Diagnostics;

/// <summary>Which mathematics libraries are in this process, or would be: the wrong one costs a factor of 40.</summary>
/// <param name="LoadedFiles">The files mapped into the process.</param>
/// <param name="Resolve">Follows links: the real path of a file, or null when it is not there.</param>
/// <param name="MultiArch">Debian's name of the architecture, such as <c>x86_64-linux-gnu</c>.</param>
internal sealed record NativeLibraryDiagnostics(IReadOnlyList<string> LoadedFiles, Func<string, string?> Resolve, string MultiArch)
{
    private const string InstallOpenBlas = "sudo apt-get install libopenblas0-openmp";

    private static readonly string[] OpenMpRuntimes = ["libgomp", "libiomp5", "libomp"];

    /// <summary>Reads this process; null where it cannot be read (other systems than Linux).</summary>
    public static NativeLibraryDiagnostics? OfThisProcess()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        var loaded = File.ReadLines("/proc/self/maps")
            .Select(line => line.IndexOf('/', StringComparison.Ordinal) is >= 0 and var start ? line[start..] : "")
            .Where(path => path.Length > 0)
            .Distinct(StringComparer.Ordinal)
            .ToList();
        var multiArch = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => "x86_64-linux-gnu",
            Architecture.Arm64 => "aarch64-linux-gnu",
            var other => $"{other.ToString().ToLowerInvariant()}-linux-gnu",
        };
        return new NativeLibraryDiagnostics(loaded, path => File.Exists(path) ? CanonicalPath.Of(path) : null, multiArch);
    }

    /// <summary>Says what is there, and what to do about it.</summary>
    public IEnumerable<DiagnosticItem> Describe()
    {
        // Debian's OpenBLAS is two files of one folder: libblas.so.3 and the libopenblas*.so that it leads to.
        var blas = LoadedFiles.Where(IsBlas).DistinctBy(Path.GetDirectoryName).ToList();
        if (blas.Count > 0)
        {
            foreach (var path in blas)
            {
                yield return DescribeBlas("BLAS in use", path);
            }
        }
        else if (Resolve(Alternative) is { } active)
        {
            yield return DescribeBlas("BLAS (none is loaded; the system's)", active);
        }
        else
        {
            yield return new DiagnosticItem("BLAS", "none is installed", DiagnosticLevel.Warning, InstallOpenBlas);
        }

        var openMp = LoadedFiles.Where(path => OpenMpRuntimes.Any(name => Path.GetFileName(path).StartsWith(name + ".", StringComparison.Ordinal) || Path.GetFileName(path).StartsWith(name + "-", StringComparison.Ordinal))).ToList();
        if (openMp.Count > 0)
        {
            yield return new DiagnosticItem(
                "OpenMP",
                string.Join(", ", openMp),
                openMp.Count == 1 ? DiagnosticLevel.Ok : DiagnosticLevel.Warning,
                openMp.Count == 1 ? null : "several runtimes compete for the processors: set OMP_NUM_THREADS=1, or keep to plugins of one engine");
        }
    }

    private string Alternative => $"/usr/lib/{MultiArch}/libblas.so.3";

    private string OpenBlas => $"/usr/lib/{MultiArch}/openblas-openmp/libblas.so.3";

    private static bool IsBlas(string path)
    {
        var name = Path.GetFileName(path);
        return new[] { "libblas", "libopenblas", "libmkl_rt", "libmkl_core", "libblis", "libatlas", "libsatlas", "libtatlas" }
            .Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal));
    }

    private DiagnosticItem DescribeBlas(string name, string path)
    {
        if (path.Contains("/openblas-pthread/", StringComparison.Ordinal))
        {
            return new DiagnosticItem(name, $"OpenBLAS with threads of its own beside OpenMP's: {path}", DiagnosticLevel.Warning, Use(OpenBlas));
        }

        var file = Path.GetFileName(path);
        if (path.Contains("openblas", StringComparison.Ordinal) || !file.StartsWith("libblas", StringComparison.Ordinal) || path.Contains("/blis-", StringComparison.Ordinal))
        {
            return new DiagnosticItem(name, path);
        }

        return new DiagnosticItem(name, $"the reference BLAS, 40 times slower than OpenBLAS: {path}", DiagnosticLevel.Warning, Use(OpenBlas));
    }

    private string Use(string library) => Resolve(library) is null
        ? InstallOpenBlas
        : $"sudo update-alternatives --set libblas.so.3-{MultiArch} {library}";
}
