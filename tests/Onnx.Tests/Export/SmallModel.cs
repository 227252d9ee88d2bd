using AsrPlatform.Onnx.Export;
using AsrPlatform.Tests;

namespace AsrPlatform.Onnx.Tests.Export;

/// <summary>The fixtures' small random checkpoint: 60 positions, width 64, 4 heads, 300 tokens, its decoder of 3 layers.</summary>
internal static class SmallModel
{
    public const int Heads = 4;
    public const int HeadWidth = 16;
    public const int Layers = 3;
    public const int Vocabulary = 300;
    public const int Positions = 60;
    public const int Frames = 120;
    public const int Width = 64;

    public static string Directory => Fixtures.Path("checkpoints/fp32");

    /// <summary>Features of two rows, <c>[2, 80, 120]</c>.</summary>
    public static float[] Features => NpyArray.Read(Fixtures.Path("checkpoints/input_features.npy")).ToSingle();

    /// <summary>Tokens of two rows, <c>[2, 9]</c>.</summary>
    public static long[] Tokens => Array.ConvertAll(NpyArray.Read(Fixtures.Path("checkpoints/decoder_input_ids.npy")).Values, value => (long)value);

    public static string Write(TemporaryFolder folder, OnnxExportOptions options)
    {
        var target = folder.File("exported");
        OnnxExport.Write(Directory, target, options);
        return target;
    }

    public static float LargestDifference(ReadOnlySpan<float> expected, ReadOnlySpan<float> found)
    {
        Assert.Equal(expected.Length, found.Length);
        var largest = 0f;
        for (var i = 0; i < expected.Length; i++)
        {
            Assert.True(float.IsFinite(found[i]), $"value {i} is {found[i]}");
            largest = Math.Max(largest, Math.Abs(expected[i] - found[i]));
        }

        return largest;
    }
}
