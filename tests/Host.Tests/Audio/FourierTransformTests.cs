using System.Numerics;
using AsrPlatform.Host.Audio;

namespace AsrPlatform.Host.Tests.Audio;

public sealed class FourierTransformTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(64)]
    public void Apply_AnyValues_IsTheDefinition(int size)
    {
        var random = new Random(size);
        Complex[] values = [.. Enumerable.Range(0, size).Select(_ => new Complex(random.NextDouble(), random.NextDouble()))];
        var expected = Enumerable.Range(0, size)
            .Select(k => values.Select((value, n) => value * Complex.FromPolarCoordinates(1, -2 * Math.PI * k * n / size)).Aggregate(Complex.Zero, (sum, term) => sum + term))
            .ToArray();
        new FourierTransform(size).Apply(values);
        Assert.All(values.Zip(expected), pair => Assert.InRange(Complex.Abs(pair.First - pair.Second), 0, 1e-12 * size));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-8)]
    [InlineData(12)]
    public void New_NoPowerOfTwo_IsRefused(int size) => Assert.Throws<ArgumentOutOfRangeException>(() => new FourierTransform(size));
}
