using System.Diagnostics;
using System.Text.RegularExpressions;
using AsrPlatform.LibTorch.Interop;
using static AsrPlatform.LibTorch.Interop.NativeMethods;

namespace AsrPlatform.LibTorch.Diagnostics;

/// <summary>The library that multiplies matrices.</summary>
/// <param name="Name"><c>OpenBLAS (openmp)</c>, <c>OpenBLAS (pthread)</c>, <c>reference BLAS</c>, <c>MKL</c>, or what LibTorch calls it.</param>
/// <param name="Path">The file, or null when it is a part of LibTorch.</param>
/// <param name="IsReference">The unoptimised one, some 40 times slower than OpenBLAS.</param>
public sealed record BlasLibrary(string Name, string? Path, bool IsReference);

/// <summary>What a number of threads reached in single-precision matrix products.</summary>
public sealed record ThreadSpeed(int Threads, double GigaFlops);

/// <summary>Bytes of CPU tensors.</summary>
/// <param name="LiveBytes">Of tensors that live.</param>
/// <param name="CachedBytes">
/// Kept for the next tensor: at most an eighth of the memory that the process may use, or <c>ASR_LIBTORCH_CACHE_MB</c>.
/// </param>
/// <param name="PeakBytes">The most that lived at once.</param>
public sealed record CpuMemory(long LiveBytes, long CachedBytes, long PeakBytes);

/// <summary>Bytes of a CUDA device that LibTorch's allocator holds.</summary>
public sealed record CudaMemory(long AllocatedBytes, long ReservedBytes, long PeakAllocatedBytes, long PeakReservedBytes);

/// <summary>What the binding found and how it is set, for <c>asr doctor</c> and benchmarks. TorchSharp has none of this.</summary>
/// <remarks>Thread-safe. Everything but <see cref="TryLoad"/> throws <see cref="DllNotFoundException"/> where LibTorch is missing.</remarks>
public static unsafe partial class LibTorchRuntime
{
    /// <summary>Loads LibTorch, or says why that fails and what to do.</summary>
    public static bool TryLoad(out string? problem)
    {
        try
        {
            ShimLoader.Load();
            problem = null;
            return true;
        }
        catch (DllNotFoundException e)
        {
            problem = e.Message;
            return false;
        }
    }

    public static string ShimPath
    {
        get
        {
            ShimLoader.Load();
            return ShimLoader.ShimPath!;
        }
    }

    public static string Version => Shim.Text(asrt_torch_version_text());

    /// <summary>The file of LibTorch's operators, where the system tells.</summary>
    public static string? LibTorchPath
    {
        get
        {
            ShimLoader.Load();
            return MappedFiles().FirstOrDefault(f => Path.GetFileName(f).Contains("torch_cpu", StringComparison.Ordinal));
        }
    }

    /// <summary>LibTorch's account of how it was built.</summary>
    public static string BuildConfiguration => Shim.Text(asrt_show_config());

    /// <summary>
    /// Whether oneDNN computes. Off by default below LibTorch 2.0, whose gradients of gelu are wrong with it;
    /// <c>ASR_LIBTORCH_ONEDNN</c>=0 or 1 decides at the start.
    /// </summary>
    public static bool OneDnnEnabled
    {
        get => asrt_onednn_enabled() != 0;
        set => asrt_onednn_enable(value ? 1 : 0);
    }

    /// <summary>Environment variables that were set for the native libraries because nobody had set them.</summary>
    public static IReadOnlyList<string> EnvironmentSet
    {
        get
        {
            ShimLoader.Load();
            return ShimLoader.EnvironmentSet;
        }
    }

    public static BlasLibrary Blas
    {
        get
        {
            ShimLoader.Load();
            foreach (var file in MappedFiles())
            {
                var name = Path.GetFileName(file);
                if (!name.StartsWith("libblas.", StringComparison.Ordinal) && !name.StartsWith("libopenblas", StringComparison.Ordinal) && !name.StartsWith("libmkl_rt", StringComparison.Ordinal))
                {
                    continue;
                }
                if (file.Contains("openblas", StringComparison.Ordinal))
                {
                    var kind = OpenBlasKind().Match(file);
                    return new BlasLibrary(kind.Success ? $"OpenBLAS ({kind.Groups[1].Value})" : "OpenBLAS", file, false);
                }
                return name.StartsWith("libmkl", StringComparison.Ordinal) ? new BlasLibrary("MKL", file, false)
                    : file.Contains("/blas/", StringComparison.Ordinal) ? new BlasLibrary("reference BLAS", file, true)
                    : new BlasLibrary(name, file, false);
            }
            var built = BuiltWith().Match(BuildConfiguration);
            return new BlasLibrary(built.Success ? built.Groups[1].Value.ToUpperInvariant() : "unknown", null, false);
        }
    }

    /// <summary>Tensors that live in the process.</summary>
    public static long LiveTensors => torch.Tensor.TotalCount;

    /// <summary>The memory of CPU tensors.</summary>
    public static CpuMemory GetCpuMemory()
    {
        var values = stackalloc long[3];
        asrt_cpu_memory(values);
        return new CpuMemory(values[0], values[1], values[2]);
    }

    public static void ResetPeakCpuMemory() => asrt_cpu_memory_reset_peak();

    /// <summary>Gives the memory of CPU tensors that waits for reuse back to the system.</summary>
    public static void ReleaseCpuCache() => asrt_cpu_memory_release();

    /// <exception cref="System.Runtime.InteropServices.ExternalException">The shim was built without CUDA.</exception>
    public static CudaMemory GetCudaMemory(int device = 0)
    {
        var values = stackalloc long[4];
        Shim.Check(asrt_cuda_memory(device, values));
        return new CudaMemory(values[0], values[1], values[2], values[3]);
    }

    public static void ResetPeakCudaMemory(int device = 0) => Shim.Check(asrt_cuda_memory_reset_peak(device));

    /// <summary>Gives memory that LibTorch keeps for later back to the device.</summary>
    public static void ReleaseCudaCache() => Shim.Check(asrt_cuda_memory_release());

    /// <summary>
    /// Multiplies matrices with 1, 2, 4… threads up to <paramref name="maxThreads"/> and puts the thread count back.
    /// The default shape is a feed-forward layer of Whisper tiny over 30 s.
    /// </summary>
    /// <remarks>Takes some <paramref name="milliseconds"/> for each count; other work in the process disturbs it.</remarks>
    public static IReadOnlyList<ThreadSpeed> MeasureThreads(int? maxThreads = null, int milliseconds = 100, int m = 1500, int k = 384, int n = 1536)
    {
        var most = maxThreads ?? Environment.ProcessorCount;
        var before = torch.get_num_threads();
        var result = new List<ThreadSpeed>();
        try
        {
            using var scope = torch.NewDisposeScope();
            using var off = torch.no_grad();
            var a = torch.ones([m, k]);
            var b = torch.ones([k, n]);
            foreach (var threads in Counts(most))
            {
                torch.set_num_threads(threads);
                a.matmul(b).Dispose();
                var best = double.MaxValue;
                for (var start = Stopwatch.GetTimestamp(); best == double.MaxValue || Stopwatch.GetElapsedTime(start).TotalMilliseconds < milliseconds;)
                {
                    var began = Stopwatch.GetTimestamp();
                    a.matmul(b).Dispose();
                    best = Math.Min(best, Stopwatch.GetElapsedTime(began).TotalSeconds);
                }
                result.Add(new ThreadSpeed(threads, 2.0 * m * k * n / best / 1e9));
            }
        }
        finally
        {
            torch.set_num_threads(before);
        }
        return result;
    }

    /// <summary>The smallest number of threads within 10 % of the fastest.</summary>
    public static int BestThreads(IReadOnlyList<ThreadSpeed> speeds)
    {
        var fastest = speeds.Max(s => s.GigaFlops);
        return speeds.First(s => s.GigaFlops >= 0.9 * fastest).Threads;
    }

    private static IEnumerable<int> Counts(int most)
    {
        for (var threads = 1; threads < most; threads *= 2)
        {
            yield return threads;
        }
        yield return Math.Max(1, most);
    }

    private static List<string> MappedFiles()
    {
        const string maps = "/proc/self/maps";
        if (!File.Exists(maps))
        {
            return [];
        }
        // address perms offset device inode path
        return [.. File.ReadLines(maps).Select(line => line.IndexOf('/', StringComparison.Ordinal) is >= 0 and var at ? line[at..] : "").Where(path => path.Length > 0).Distinct()];
    }

    [GeneratedRegex("openblas-(\\w+)/")]
    private static partial Regex OpenBlasKind();

    [GeneratedRegex("BLAS_INFO=(\\w+)")]
    private static partial Regex BuiltWith();
}
