using AsrPlatform.LibTorch.Diagnostics;

namespace AsrPlatform.LibTorch.Tests.Runtime;

[Collection(nameof(Alone))]
public sealed class CpuMemoryTests
{
    [Fact]
    public void LargeTensors_LeaveTheirMemoryToTheNext()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        LibTorchRuntime.ReleaseCpuCache();
        LibTorchRuntime.ResetPeakCpuMemory();
        var before = LibTorchRuntime.GetCpuMemory();
        Assert.Equal(0, before.CachedBytes);
        for (var i = 0; i < 10; i++)
        {
            using var t = empty(1 << 20);
            var during = LibTorchRuntime.GetCpuMemory();
            Assert.Equal(before.LiveBytes + (4 << 20), during.LiveBytes);
            Assert.Equal(0, during.CachedBytes);
        }
        var after = LibTorchRuntime.GetCpuMemory();
        Assert.Equal(before.LiveBytes, after.LiveBytes);
        Assert.Equal(4 << 20, after.CachedBytes);
        Assert.Equal(before.LiveBytes + (4 << 20), after.PeakBytes);
        LibTorchRuntime.ReleaseCpuCache();
        Assert.Equal(0, LibTorchRuntime.GetCpuMemory().CachedBytes);
    }

    [Fact]
    public void Sizes_OfEveryKind_AreAlignedAndTheirOwn()
    {
        // Around the powers of two and the steps between them; each is filled and checked while the others live.
        using var scope = NewDisposeScope();
        var made = new List<(Tensor Tensor, long Value)>();
        foreach (var bytes in (long[])[1, 63, 64, 65, 65535, 65536, 65537, 73727, 73728, 73729, 131071, 131072, 131073, (4 << 20) - 1, 4 << 20, (4 << 20) + 1, 5000001])
        {
            var t = empty(bytes, dtype: uint8);
            Assert.Equal(0, AddressOf(t) % 64);
            t.fill_(bytes % 251);
            made.Add((t, bytes % 251));
        }
        Assert.All(made, m => Assert.True(m.Tensor.eq(m.Value).all().ToBoolean()));
        Assert.Equal(0, empty(0).numel());
    }

    private static unsafe long AddressOf(Tensor t)
    {
        fixed (byte* p = t.bytes)
        {
            return (long)p;
        }
    }

    [Fact]
    public void Threads_ShareTheCache()
    {
        var failures = 0;
        var threads = Enumerable.Range(0, 4).Select(n => new Thread(() =>
        {
            for (var i = 0; i < 300; i++)
            {
                using var a = full([(n + 1) * 20000 * (1 + (i % 3))], n, float32);
                using var b = full_like(a, i, int64);
                if (a.eq(n).logical_not().any().ToBoolean() || b.eq(i).logical_not().any().ToBoolean())
                {
                    Interlocked.Increment(ref failures);
                }
            }
        })).ToList();
        threads.ForEach(t => t.Start());
        threads.ForEach(t => t.Join());
        Assert.Equal(0, failures);
    }
}
