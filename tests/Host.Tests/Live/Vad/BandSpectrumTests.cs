using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Tests.Live.Vad;

public sealed class BandSpectrumTests
{
    private const int Rate = 16000;

    [Theory]
    [InlineData(512)]
    [InlineData(400)]
    public void Compute_ATone_HasItsPowerAroundOneBand(int length)
    {
        var spectrum = new BandSpectrum(length, Rate, 18);
        var power = new double[spectrum.Bands];
        var loudest = new List<int>();
        foreach (var hertz in new[] { 300, 1000, 3000, 6000 })
        {
            spectrum.Compute(Enumerable.Range(0, length).Select(i => 0.5f * MathF.Sin(2 * MathF.PI * hertz * i / Rate)).ToArray(), power);
            Assert.InRange(power.Sum(), 0.12, 0.13);
            loudest.Add(Array.IndexOf(power, power.Max()));
        }

        Assert.Equal(loudest.Order().Distinct(), loudest);
    }

    [Fact]
    public void Compute_WhiteNoise_SpreadsAsItSays()
    {
        var random = new Random(1);
        var spectrum = new BandSpectrum(512, Rate, 18);
        var power = new double[spectrum.Bands];
        var sum = new double[spectrum.Bands];
        for (var frame = 0; frame < 2000; frame++)
        {
            spectrum.Compute(Enumerable.Range(0, 512).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray(), power);
            for (var band = 0; band < power.Length; band++)
            {
                sum[band] += power[band] / 2000;
            }
        }

        Assert.All(Enumerable.Range(0, power.Length), band => Assert.InRange(sum[band] / (spectrum.ShareOfWhite(band) / 12), 0.93, 1.07));
    }

    [Fact]
    public void Compute_DirectCurrent_IsNoSound()
    {
        var spectrum = new BandSpectrum(512, Rate, 18);
        var power = new double[spectrum.Bands];
        spectrum.Compute(Enumerable.Repeat(0.5f, 512).ToArray(), power);
        Assert.InRange(power.Sum(), 0, 1e-8);
    }
}
