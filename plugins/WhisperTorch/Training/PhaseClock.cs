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
/// <remarks>Nobody waits for a card at the end of a phase: there a phase has the time that the thread spends waiting in it.</remarks>
internal sealed class PhaseClock
{
    private static readonly Phase[] Phases = Enum.GetValues<Phase>();
    private readonly long[] _ticks = new long[Phases.Length];

    /// <summary>Seconds in each phase so far, as <c>data_seconds</c>, <c>forward_seconds</c> and so on.</summary>
    public IReadOnlyDictionary<string, double> Values =>
        Phases.ToDictionary(phase => $"{phase.ToString().ToLowerInvariant()}_seconds", phase => (double)_ticks[(int)phase] / Stopwatch.Frequency);

    /// <summary>Begins a phase, which ends when the result is disposed.</summary>
    public IDisposable Enter(Phase phase) => new Interval(this, phase);

    private sealed class Interval(PhaseClock clock, Phase phase) : IDisposable
    {
        private readonly long _start = Stopwatch.GetTimestamp();

        public void Dispose() => clock._ticks[(int)phase] += Stopwatch.GetTimestamp() - _start;
    }
}
