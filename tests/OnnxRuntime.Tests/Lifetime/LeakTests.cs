using System.Globalization;
using System.Runtime.CompilerServices;
using AsrPlatform.OnnxRuntime.Diagnostics;

namespace AsrPlatform.OnnxRuntime.Tests.Lifetime;

/// <summary>Counts native objects of the whole process, so that nothing may run beside it.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;

/// <summary>Whatever is made and let go is released, by Dispose and by the collector alike.</summary>
[Collection(nameof(Alone))]
public sealed class LeakTests
{
    private static readonly byte[] Model = Graph.AddOne().Metadata("key", "value").ToModel();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Objects_MadeAndLetGo_AreReleased(bool dispose)
    {
        Collect();
        var before = Living();
        for (var i = 0; i < 1000; i++)
        {
            UseAll(dispose);
        }
        Collect();
        Assert.Equal(before, Living());
    }

    [Fact]
    public void Failures_LeaveNothing()
    {
        Collect();
        var before = Living();
        for (var i = 0; i < 1000; i++)
        {
            Assert.Throws<OnnxRuntimeException>(() => new InferenceSession([1, 2, 3]));
            Assert.Throws<OnnxRuntimeException>(() => OrtValue.CreateTensorValueFromMemory(new float[1], [2]));
            Assert.Throws<OnnxRuntimeException>(() => new OrtMemoryInfo("Nowhere", OrtAllocatorType.DeviceAllocator, 0, OrtMemType.Default));
        }
        Collect();
        Assert.Equal(before, Living());
    }

    [Fact]
    public void Memory_OfTheProcess_DoesNotGrow()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Memory of the process is read from /proc.");
        for (var i = 0; i < 500; i++)
        {
            UseAll(dispose: true);
        }
        Collect();
        var before = ResidentBytes();
        for (var i = 0; i < 2000; i++)
        {
            UseAll(dispose: true);
        }
        Collect();
        // A leaked session of this model is some 100 KB: 2000 of them are 200 MB.
        Assert.InRange(ResidentBytes() - before, long.MinValue, 20L << 20);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void UseAll(bool dispose)
    {
        var options = new SessionOptions { IntraOpNumThreads = 1 };
        var weights = new PrePackedWeightsContainer();
        var session = new InferenceSession(Model, options, weights);
        _ = session.ModelMetadata.CustomMetadataMap["key"];
        var run = new RunOptions();
        var place = new OrtMemoryInfo("Cpu", OrtAllocatorType.DeviceAllocator, 0, OrtMemType.Default);
        var allocator = new OrtAllocator(session, place);
        var x = OrtValue.CreateTensorValueFromMemory(new float[300], [100, 3]);
        var y = OrtValue.CreateAllocatedTensorValue(allocator, TensorElementType.Float, [100, 3]);
        var results = session.Run(run, ["x"], [x], ["y"]);
        var binding = session.CreateIoBinding();
        binding.BindInput("x", x);
        binding.BindInput("x", results[0]);
        binding.BindOutput("y", y);
        var bound = session.RunWithBoundResults(run, binding);
        Assert.Equal(2, bound[0].GetTensorDataAsSpan<float>()[299]);
        if (dispose)
        {
            foreach (var used in (IDisposable[])[options, weights, session, run, place, allocator, x, y, results, binding, bound])
            {
                used.Dispose();
            }
        }
        else
        {
            GC.KeepAlive(binding);
        }
    }

    /// <summary>Objects that others keep are released in the round after them.</summary>
    private static void Collect()
    {
        for (var i = 0; i < 4; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    // The shared objects are made at first use and stay.
    private static Dictionary<NativeKind, long> Living()
    {
        _ = (OrtEnv.Instance(), OrtMemoryInfo.DefaultInstance, OrtAllocator.DefaultInstance);
        return Enum.GetValues<NativeKind>().ToDictionary(kind => kind, OnnxRuntimeLibrary.LiveObjects);
    }

    private static long ResidentBytes() =>
        long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize;
}
