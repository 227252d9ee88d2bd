using AsrPlatform.Abstractions;
using AsrPlatform.Abstractions.Audio;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Tests.Live.Vad;

public sealed class NetworkVoiceActivityDetectorTests
{
    [Fact]
    public void IsSpeech_BeginsAtTheThresholdAndEndsWellBelowIt()
    {
        // After speech of two frames it holds on for 0.1 s: four frames of 32 ms.
        Assert.Equal("..XXXXXXX...", Decide(0.5, 0.1f, 0.49f, 0.5f, 0.36f, 0.4f, 0.34f, 0, 0, 0, 0, 0, 0));
        Assert.Equal("..XXXXXX.", Decide(0.8, 0.5f, 0.79f, 0.8f, 0.66f, 0.64f, 0, 0, 0, 0));
    }

    [Fact]
    public void IsSpeech_ClickOfOneFrame_IsOverWithIt() => Assert.Equal(".X...", Decide(0.5, 0, 0.9f, 0, 0, 0));

    [Fact]
    public void IsSpeech_ThresholdOfNothing_StillEnds() => Assert.Equal("X.", Decide(0.1, 0.1f, 0.005f));

    [Fact]
    public void Model_OfAnotherRate_IsRefused()
    {
        var network = new Scripted([]);
        using (var model = new VoiceActivityModel(network))
        {
            Assert.Contains("hears 16000 Hz, the recogniser 8000 Hz", Assert.Throws<AsrException>(() => model.Create(8000, 0.5)).Message, StringComparison.Ordinal);
            using var detector = model.Create(16_000, 0.5);
            Assert.Equal(512, detector.FrameSamples);
        }

        Assert.Equal((1, 1), (network.Disposed, network.Closed));
    }

    [Fact]
    public void Load_WithoutFileOrPlugin_SaysWhatToDo()
    {
        Assert.Contains("/nowhere/vad.onnx does not exist", Assert.Throws<AsrException>(() => VoiceActivityModel.Load("/nowhere/vad.onnx", null)).Message, StringComparison.Ordinal);
        var here = typeof(NetworkVoiceActivityDetectorTests).Assembly.Location;
        Assert.Contains("./asr doctor", Assert.Throws<AsrException>(() => VoiceActivityModel.Load(here, null)).Message, StringComparison.Ordinal);
    }

    private static string Decide(double threshold, params float[] probabilities)
    {
        using var network = new Scripted(probabilities);
        using var detector = new NetworkVoiceActivityDetector(network, threshold);
        return string.Concat(probabilities.Select(_ => detector.IsSpeech(new float[512]) ? 'X' : '.'));
    }

    private sealed class Scripted(float[] probabilities) : IVoiceActivityNetwork, IVoiceActivityStream
    {
        private int _next;
        private int _streams;

        public int SampleRateHz => 16_000;

        public int FrameSamples => 512;

        public int Disposed { get; private set; }

        public int Closed { get; private set; }

        public IVoiceActivityStream CreateStream()
        {
            _streams++;
            return this;
        }

        public float Next(ReadOnlySpan<float> frame) => probabilities[_next++];

        public void Dispose()
        {
            if (_streams > Closed)
            {
                Closed++;
            }
            else
            {
                Disposed++;
            }
        }
    }
}
