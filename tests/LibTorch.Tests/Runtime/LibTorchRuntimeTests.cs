using System.Diagnostics;
using AsrPlatform.LibTorch.Diagnostics;

namespace AsrPlatform.LibTorch.Tests.Runtime;

[Collection(nameof(Alone))]
public sealed class LibTorchRuntimeTests
{
    [Fact]
    public void Facts_AreThere()
    {
        Assert.True(LibTorchRuntime.TryLoad(out var problem), problem);
        Assert.True(File.Exists(LibTorchRuntime.ShimPath));
        Assert.Matches(@"^\d+\.\d+\.\d+", LibTorchRuntime.Version);
        Assert.Equal(LibTorchRuntime.Version, __version__);
        Assert.Contains("GCC", LibTorchRuntime.BuildConfiguration, StringComparison.Ordinal);
        Assert.NotEqual("unknown", LibTorchRuntime.Blas.Name);
        if (OperatingSystem.IsLinux())
        {
            Assert.True(File.Exists(LibTorchRuntime.LibTorchPath));
        }
    }

    [Fact]
    public void OneDnn_InLibTorch1_IsOff_AndCanBeSwitched()
    {
        Assert.SkipUnless(LibTorchRuntime.Version.StartsWith("1.", StringComparison.Ordinal), "Newer LibTorch keeps oneDNN.");
        Assert.SkipWhen(Environment.GetEnvironmentVariable("ASR_LIBTORCH_ONEDNN") == "1", "It was switched on by hand.");
        Assert.False(LibTorchRuntime.OneDnnEnabled);
        LibTorchRuntime.OneDnnEnabled = true;
        var on = LibTorchRuntime.OneDnnEnabled;
        LibTorchRuntime.OneDnnEnabled = false;
        Assert.True(on);
        Assert.False(LibTorchRuntime.OneDnnEnabled);
    }

    [Fact]
    public void ThreadCount_ReachesEveryThread_AlsoThoseThatComputedBefore()
    {
        var before = get_num_threads();
        using var compute = new AutoResetEvent(false);
        using var done = new AutoResetEvent(false);
        var seen = 0;
        var other = new Thread(() =>
        {
            ones(1).Dispose();
            done.Set();
            compute.WaitOne();
            ones(1).Dispose();
            seen = get_num_threads();
        });
        other.Start();
        done.WaitOne();
        set_num_threads(3);
        compute.Set();
        other.Join();
        Assert.Equal(3, get_num_threads());
        Assert.Equal(3, seen);
        set_num_threads(before);
        Assert.Throws<System.Runtime.InteropServices.ExternalException>(() => set_num_threads(0));
        Assert.Equal(before, get_num_threads());
    }

    [Fact]
    public void MeasuredThreads_AreCountedUp_AndTheSettingComesBack()
    {
        var before = get_num_threads();
        var speeds = LibTorchRuntime.MeasureThreads(maxThreads: 3, milliseconds: 1, m: 32, k: 32, n: 32);
        Assert.Equal([1, 2, 3], speeds.Select(s => s.Threads));
        Assert.All(speeds, s => Assert.True(s.GigaFlops > 0));
        Assert.Equal(before, get_num_threads());
        Assert.Equal(2, LibTorchRuntime.BestThreads([new(1, 50), new(2, 95), new(4, 100)]));
    }

    [Fact]
    public void ParallelThreads_ComputeAlike()
    {
        var expected = Work();
        var results = new double[4];
        var threads = Enumerable.Range(0, 4).Select(i => new Thread(() => results[i] = Work())).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.All(results, r => Assert.Equal(expected, r));

        static double Work()
        {
            using var scope = NewDisposeScope();
            using var own = new Generator(1);
            var t = rand(64, 64, generator: own);
            for (var i = 0; i < 50; i++)
            {
                t = t.matmul(t).softmax(-1);
            }
            return t.sum().ToDouble();
        }
    }

    [Fact]
    public void Environment_OfNativeLibraries_WaitsPassively()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows' LibTorch uses another OpenMP.");
        LibTorchRuntime.TryLoad(out _);
        string[] wanted = ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"];
        Assert.All(wanted, name => Assert.True(
            Environment.GetEnvironmentVariable(name) is not null || LibTorchRuntime.EnvironmentSet.Any(set => set.StartsWith(name + "=", StringComparison.Ordinal)), name));
    }

    [Theory]
    [InlineData("ASR_LIBTORCH_SHIM", "/nowhere/libasrtorch.so", "eng/build-native.sh")]
    [InlineData("ASR_LIBTORCH_DIR", "/nowhere", "ASR_LIBTORCH_DIR names /nowhere")]
    [InlineData("ASR_LIBTORCH_DIR", "/", "holds no libtorch_cpu")]
    public void MissingLibrary_IsAClearError_InAProcessOfItsOwn(string variable, string value, string message)
    {
        // This process has loaded the library; the test assembly runs itself again.
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(typeof(LibTorchRuntimeTests).Assembly.Location);
        }
        foreach (var argument in (string[])["-explicit", "only", "-method", "*.PrintFailureOfLoading", "-showLiveOutput"])
        {
            start.ArgumentList.Add(argument);
        }
        start.Environment[variable] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.Contains("DllNotFoundException:", output, StringComparison.Ordinal);
        Assert.Contains(message, output, StringComparison.Ordinal);
    }

    /// <summary>Run by the test above in another process, where loading fails.</summary>
    [Fact(Explicit = true)]
    public void PrintFailureOfLoading()
    {
        var first = Record.Exception(() => zeros(1));
        var second = Record.Exception(() => zeros(1));
        Assert.False(LibTorchRuntime.TryLoad(out var problem));
        Assert.Equal(problem, second!.Message);
        TestContext.Current.TestOutputHelper!.WriteLine($"{first!.GetType().Name}: {first.Message}");
    }
}
