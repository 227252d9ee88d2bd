using System.Diagnostics;

namespace AsrPlatform.WhisperTorch.Training;

/// <summary>The parts of a training step.</summary>
internal enum Phase
{
    /// <summary>Waiting for the next examples.</summary>
    Data,

    /// <summary>Loss of the examples.</summary>
    Forward,

    /// <summary>Gradients; with checkpointing the second forward pass too.</summary>
    Backward,

    /// <summary>Norm, clipping and update.</summary>
    Optimizer,
}

/// <summary>Adds up the time of each phase on the training thread.</summary>
/// <remarks>A card works on after a phase has ended: with <paramref name="device"/> on one, each phase waits for it first.</remarks>
/// <param name="device">Where the model is.</param>
internal sealed class PhaseClock(Device device)
{
    private readonly long[] _ticks = new long[4];

    /// <summary>Seconds in a phase so far.</summary>
    public double Seconds(Phase phase) => (double)_ticks[(int)phase] / Stopwatch.Frequency;

    /// <summary>Begins a phase, which ends when the result is disposed.</summary>
    public IDisposable Enter(Phase phase) => new Interval(this, phase);

    private void Synchronize()
    {
        if (device.type != DeviceType.CPU)
        {
            cuda.synchronize(device);
        }
    }

    private sealed class Interval : IDisposable
    {
        private readonly PhaseClock _clock;
        private readonly Phase _phase;
        private readonly long _start;

        public Interval(PhaseClock clock, Phase phase)
        {
            clock.Synchronize();
            (_clock, _phase, _start) = (clock, phase, Stopwatch.GetTimestamp());
        }

        public void Dispose()
        {
            _clock.Synchronize();
            _clock._ticks[(int)_phase] += Stopwatch.GetTimestamp() - _start;
        }
    }
}
