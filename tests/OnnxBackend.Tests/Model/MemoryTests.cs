using AsrPlatform.Abstractions.Models;
using AsrPlatform.OnnxBackend.Memory;
using AsrPlatform.OnnxRuntime.Diagnostics;
using AsrPlatform.Tests;
using static AsrPlatform.OnnxBackend.Tests.OnnxModels;

namespace AsrPlatform.OnnxBackend.Tests.Model;

/// <summary>Native memory. Compiled with our own binding alone, which counts its objects.</summary>
public sealed class MemoryTests
{
    private static readonly NativeKind[] Kinds = Enum.GetValues<NativeKind>();

    [Theory]
    [InlineData(SmallLayout.Merged)]
    [InlineData(SmallLayout.Fast)]
    public void Decode_AThousandTimes_LeavesNoNativeObjectAndNoMemory(SmallLayout layout)
    {
        using var folder = new TemporaryFolder();
        var exported = Small(folder, layout);
        Use(exported, windows: 1); // what is made once for the process
        var before = Live();
        Use(exported, windows: 100);
        Assert.Equal(before, Live());

        static void Use(string directory, int windows)
        {
            using var model = Load(directory);
            long[]? atWork = null;
            for (var window = 0; window < windows; window++)
            {
                using var states = EncodeSmall(model);
                using var cache = model.CreateCache(states, [0, 1, 0], new DecoderCacheOptions { Capacity = 16 });
                for (var step = 0; step < 10; step++)
                {
                    cache.Reorder([1, 0, 2]);
                    Decode(model, cache, [step, step + 1, step + 2, 7, 7, 7], counts: step == 4 ? [2, 1, 1] : [1, 1, 1]);
                }

                // Every window needs as much as the one before it.
                var live = Live();
                atWork ??= window > 0 ? live : null;
                Assert.Equal(atWork ?? live, live);
            }
        }
    }

    [Fact]
    public void Load_OfABrokenDecoder_ReleasesTheEncoder()
    {
        using var folder = new TemporaryFolder();
        Small(folder, Merged);
        Load(folder.Root).Dispose();
        var before = Live();
        File.WriteAllBytes(folder.File("decoder_model_merged.onnx"), [1, 2, 3]);
        Assert.Throws<AsrPlatform.Abstractions.AsrException>(() => Load(folder.Root));
        Assert.Equal(before, Live());
    }

    [Theory]
    [InlineData(SmallLayout.Merged)]
    [InlineData(SmallLayout.Fast)]
    public void Load_OfOneFolderTwice_SharesTheSessions(SmallLayout layout)
    {
        using var folder = new TemporaryFolder();
        var backend = Backend();
        var options = new ModelLoadOptions { ModelDirectory = Small(folder, layout), Threads = 1 };
        using (var first = backend.Load(options))
        {
            var sessions = OnnxRuntimeLibrary.LiveObjects(NativeKind.Session);
            using var second = backend.Load(options);
            Assert.Equal(sessions, OnnxRuntimeLibrary.LiveObjects(NativeKind.Session));
            Assert.Equal(2, backend.Graphs.Count);
            first.Dispose();
            using var states = EncodeSmall(second);
            Assert.All(Copy(states, second), value => Assert.True(float.IsFinite(value)));
        }

        Assert.Equal(0, backend.Graphs.Count);
    }

    private static long[] Live()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return [.. Kinds.Select(OnnxRuntimeLibrary.LiveObjects), NativeBuffer.Live];
    }
}
