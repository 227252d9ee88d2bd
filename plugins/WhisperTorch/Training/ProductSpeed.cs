using System.Diagnostics;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>How fast LibTorch multiplies numbers of one type on the processor, measured where it will run.</summary>
/// <remarks>
/// No list of processors and versions tells: bfloat16 takes half of float32's time with oneDNN of LibTorch 2 and AVX512_BF16 or AMX, and
/// twenty times as long with LibTorch 1.13 on the same machine.
/// </remarks>
internal static class ProductSpeed
{
    private const int Trials = 5;

    /// <summary>The time of a product of float32 over that of one of <paramref name="type"/>: above 1 where the type is faster. Takes some hundredths of a second.</summary>
    /// <param name="type">A type of floating-point numbers.</param>
    public static double OverFloat32(ScalarType type)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (states, weight) = (rand(512, 256), rand(1024, 256)); // a layer of a small model
        return Fastest(states, weight) / Fastest(states.to(type), weight.to(type));
    }

    // The shortest of some: whatever else runs here only lengthens a trial. The first of all warms up.
    private static double Fastest(Tensor states, Tensor weight)
    {
        var fastest = double.PositiveInfinity;
        for (var trial = 0; trial <= Trials; trial++)
        {
            var start = Stopwatch.GetTimestamp();
            using var output = nn.functional.linear(states, weight);
            if (trial > 0)
            {
                fastest = Math.Min(fastest, Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        return fastest;
    }
}
