using System.Globalization;
using AsrPlatform.Abstractions.Models;
using static AsrPlatform.WhisperTorch.Tests.TestModels;

namespace AsrPlatform.WhisperTorch.Tests.Model;

public sealed class MemoryTests
{
    [Fact]
    public void Decode_TenThousandSteps_LeavesNoTensorAndDoesNotGrow()
    {
        var atStart = LiveTensors();
        using (var model = Load("checkpoints/fp32"))
        {
            var loaded = Tensor.TotalCount;
            var (features, batch, frames) = SmallFeatures();
            using (var states = model.Encode(features, batch, frames))
            using (var single = model.CreateCache(states, [0], new DecoderCacheOptions()))
            using (var beams = model.CreateCache(states, [0, 0, 1, 1], new DecoderCacheOptions { MaxRows = 6, AlignmentHeads = [new(1, 2)] }))
            {
                var logits = new float[4 * model.Info.VocabularySize];
                var alignment = new float[4 * states.Positions];
                // By then the runtime has compiled the loops for good.
                Steps(2000);
                var (managed, resident) = (Steps(500), ResidentBytes());
                var later = 0L;
                for (var round = 0; round < 19; round++)
                {
                    later = Steps(500);
                }

                // The same work allocates no more: a step is as cheap at the end as at the beginning (cheaper where the runtime has compiled it anew).
                Assert.InRange(later, 0, managed * 1.02);
                if (OperatingSystem.IsLinux())
                {
                    Assert.InRange(ResidentBytes() - resident, long.MinValue, 16L << 20);
                }

                long Steps(int count)
                {
                    var live = Tensor.TotalCount;
                    var before = GC.GetAllocatedBytesForCurrentThread();
                    for (var i = 0; i < count; i++)
                    {
                        if (single.Length(0) == single.Capacity)
                        {
                            single.Truncate(0);
                            beams.Truncate(0);
                        }

                        model.Decode(single, [i % 300], [], LogitPositions.Last, logits, []);
                        model.Decode(beams, [1, 2, 3, i % 300], [], LogitPositions.Last, logits, alignment);
                        beams.Reorder([1, 0, 3, 3]);

                        // After every step: a tensor that only its finalizer frees would be counted here.
                        Assert.Equal(live, Tensor.TotalCount);
                    }

                    return GC.GetAllocatedBytesForCurrentThread() - before;
                }
            }

            Assert.Equal(loaded, Tensor.TotalCount);
        }

        Assert.Equal(atStart, Tensor.TotalCount);
    }

    [Fact]
    public void Encode_Repeatedly_LeavesNoTensor()
    {
        using var model = Load("checkpoints/fp32");
        var (features, batch, frames) = SmallFeatures();
        var before = LiveTensors();
        for (var i = 0; i < 200; i++)
        {
            using var states = model.Encode(features, batch, frames);
            using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    [Fact]
    public void Calls_ThatAreRefused_LeaveNoTensor()
    {
        using var model = Load("checkpoints/fp32");
        var (features, batch, frames) = SmallFeatures();
        using var states = model.Encode(features, batch, frames);
        using var cache = model.CreateCache(states, [0], new DecoderCacheOptions());
        var before = LiveTensors();
        for (var i = 0; i < 20; i++)
        {
            Assert.Throws<ArgumentException>(() => model.Encode(features, batch, frames - 2));
            Assert.Throws<ArgumentException>(() => model.Decode(cache, [300], [], LogitPositions.None, [], []));
            Assert.Throws<ArgumentException>(() => model.CreateCache(states, [2], new DecoderCacheOptions()));
        }

        Assert.Equal(before, Tensor.TotalCount);
    }

    // What other tests left to their finalizers is none of ours.
    private static long LiveTensors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.TotalCount;
    }

    private static long ResidentBytes()
    {
        var line = File.ReadLines("/proc/self/status").Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
        return 1024 * long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture);
    }
}
