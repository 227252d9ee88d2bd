using System.IO.Pipelines;

namespace AsrPlatform.Host.Live.Client;

/// <summary>One side of a connection.</summary>
/// <param name="Input">What the other side wrote.</param>
/// <param name="Output">What the other side will read.</param>
internal sealed record DuplexPipe(PipeReader Input, PipeWriter Output) : IDuplexPipe
{
    /// <summary>Two sides of one connection in memory; a side that is not read makes the other wait.</summary>
    public static (IDuplexPipe Left, IDuplexPipe Right) CreatePair()
    {
        // Continuations on the thread pool: a side never runs the other's code.
        var options = new PipeOptions(useSynchronizationContext: false);
        var there = new Pipe(options);
        var back = new Pipe(options);
        return (new DuplexPipe(back.Reader, there.Writer), new DuplexPipe(there.Reader, back.Writer));
    }
}
