using System.Numerics.Tensors;
using AsrPlatform.Host.Live;

namespace AsrPlatform.Host.Cli;

/// <summary>Voice activity by level: speech is what stands out from the noise floor, which is the lowest level of the last seconds.</summary>
/// <remarks>
/// The floor follows minimum statistics (Martin 2001): speech has gaps, so the minimum over a few seconds is the noise. Steady noise of
/// any level so becomes silence after <see cref="FloorSeconds"/>. It tells loud from quiet, not voices from music.
/// The yardstick of <see cref="VoiceActivityTrial"/>; no session uses it.
/// </remarks>
internal sealed class EnergyVoiceActivityDetector : IVoiceActivityDetector
{
    /// <summary>Length of the stretch whose minimum is the floor.</summary>
    private const double FloorSeconds = 3;

    private const int Blocks = 6;

    /// <summary>No noise is above this until the stream was heard for two blocks (a second): it may begin in the middle of a word.</summary>
    private const float InitialFloorDecibels = -50;

    /// <summary>The floor is never below this: in gated or synthetic audio the gaps between words are digital silence.</summary>
    private const float LowestFloorDecibels = -60;

    /// <summary>Below this it is silence whatever the floor is: quiet speech into a microphone is above −50 dBFS.</summary>
    private const float SilenceDecibels = -55;

    /// <summary>Speech starts this far above the floor, and goes on while it is half as far: word ends fade.</summary>
    private const float OnsetDecibels = 10;

    private readonly float[] _minima = new float[Blocks];
    private readonly int _framesPerBlock;
    private int _block;
    private int _frame;
    private int _heard;
    private float _smoothed = float.NaN;
    private bool _speaking;

    public EnergyVoiceActivityDetector(int sampleRateHz)
    {
        FrameSamples = Math.Max(1, sampleRateHz * 32 / 1000);
        _framesPerBlock = (int)Math.Ceiling(FloorSeconds / Blocks * sampleRateHz / FrameSamples);
        Array.Fill(_minima, float.PositiveInfinity);
    }

    public int FrameSamples { get; }

    public void Dispose()
    {
        // It holds memory alone.
    }

    public bool IsSpeech(ReadOnlySpan<float> frame)
    {
        var power = TensorPrimitives.SumOfSquares(frame) / frame.Length;
        var decibels = 10 * MathF.Log10(power + 1e-10f);

        Track(Math.Max(decibels, LowestFloorDecibels));
        var floor = TensorPrimitives.Min<float>(_minima);
        if (_heard < 2 * _framesPerBlock)
        {
            floor = Math.Min(floor, InitialFloorDecibels);
        }

        _speaking = decibels > SilenceDecibels && decibels - floor > (_speaking ? OnsetDecibels / 2 : OnsetDecibels);
        return _speaking;
    }

    private void Track(float decibels)
    {
        // The minimum of a smoothed level: single quiet frames of noise are far below its mean.
        _smoothed = float.IsNaN(_smoothed) ? decibels : _smoothed + (0.4f * (decibels - _smoothed));
        _heard = Math.Min(_heard + 1, 2 * _framesPerBlock);
        if (++_frame > _framesPerBlock)
        {
            _frame = 1;
            _block = (_block + 1) % Blocks;
            _minima[_block] = _smoothed;
        }
        else
        {
            _minima[_block] = Math.Min(_minima[_block], _smoothed);
        }
    }
}
