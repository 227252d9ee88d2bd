using AsrPlatform.Abstractions;

namespace AsrPlatform.NAudioCapture;

/// <summary>Samples between a driver that does not wait and a reader that does.</summary>
/// <remarks>Safe for one writer and one reader at the same time. Bounded: a reader that stays away too long is told so, and is not given audio with a hole.</remarks>
/// <param name="sampleRateHz">Samples per second.</param>
/// <param name="device">The device's name, for messages.</param>
internal sealed class SampleQueue(int sampleRateHz, string device)
{
    /// <summary>A live session holds its sender back for less.</summary>
    private const int CapacitySeconds = 60;

    private readonly object _gate = new();
    private readonly Queue<float[]> _blocks = [];
    private int _taken; // of the first block
    private long _count;
    private bool _isComplete;
    private AsrException? _error;

    /// <summary>Appends samples; does nothing once it is complete.</summary>
    public void Write(ReadOnlySpan<float> samples)
    {
        lock (_gate)
        {
            if (_isComplete || samples.IsEmpty)
            {
                return;
            }

            if (_count + samples.Length > (long)CapacitySeconds * sampleRateHz)
            {
                _isComplete = true;
                _error = new AsrException($"what the microphone '{device}' heard was not taken for {CapacitySeconds} s: the captions are too slow");
            }
            else
            {
                _blocks.Enqueue(samples.ToArray());
                _count += samples.Length;
            }

            Monitor.Pulse(_gate);
        }
    }

    /// <summary>No more samples come; what is there is still read.</summary>
    /// <param name="error">Why; null where nothing went wrong.</param>
    public void Complete(Exception? error)
    {
        lock (_gate)
        {
            if (_isComplete)
            {
                return;
            }

            _isComplete = true;
            _error = error is null ? null : new AsrException($"the microphone '{device}' stopped: {error.Message.ReplaceLineEndings(" ").Trim()}", error);
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Reads what is there; waits until something is.</summary>
    /// <returns>Samples read; 0 only at the end.</returns>
    /// <exception cref="AsrException">The device failed, or was not read for too long.</exception>
    public int Read(Span<float> destination)
    {
        lock (_gate)
        {
            while (_count == 0 && !_isComplete)
            {
                Monitor.Wait(_gate);
            }

            var count = 0;
            while (count < destination.Length && _blocks.TryPeek(out var block))
            {
                var part = Math.Min(block.Length - _taken, destination.Length - count);
                block.AsSpan(_taken, part).CopyTo(destination[count..]);
                count += part;
                _taken += part;
                if (_taken == block.Length)
                {
                    _blocks.Dequeue();
                    _taken = 0;
                }
            }

            _count -= count;
            return count == 0 && !destination.IsEmpty && _error is not null ? throw _error : count;
        }
    }
}
