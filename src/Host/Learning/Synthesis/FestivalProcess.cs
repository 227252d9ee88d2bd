using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using AsrPlatform.Abstractions;
using AsrPlatform.Host.Diagnostics;

namespace AsrPlatform.Host.Learning.Synthesis;

/// <summary>A festival that reads expressions from its standard input. For one thread at a time.</summary>
internal sealed class FestivalProcess : IDisposable
{
    /// <summary>Expressions after which a process is replaced, so that what it forgets to free stays small.</summary>
    public const int MaxAsked = 500;

    private const string End = "asr-platform-end";

    private readonly Process _process;
    private readonly StringBuilder _errors = new();

    /// <param name="program">The program's name.</param>
    /// <exception cref="AsrException">It cannot be started.</exception>
    public FestivalProcess(string program)
    {
        try
        {
            _process = Process.Start(ProgramRun.StartInfo(program, ["--pipe"]))!;
        }
        catch (Win32Exception error)
        {
            throw new AsrException($"{program} cannot be run: {error.Message}", error);
        }

        _process.ErrorDataReceived += (_, line) =>
        {
            lock (_errors)
            {
                _errors.Append(line.Data is { Length: > 0 } text ? $"{text}; " : "");
            }
        };
        _process.BeginErrorReadLine();
    }

    /// <summary>Expressions so far.</summary>
    public int Asked { get; private set; }

    /// <summary>Evaluates an expression and returns the lines that it prints.</summary>
    /// <exception cref="AsrException">The program ended or does not answer.</exception>
    public List<string> Ask(string expression, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Asked++;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        end.CancelAfter(SynthesizerProcess.Limit);
        using var kill = end.Token.Register(() => ProgramRun.Kill(_process));
        var lines = new List<string>();
        try
        {
            // After an error the program goes on with the next expression: the end is printed in any case.
            _process.StandardInput.Write(expression);
            _process.StandardInput.Write($"(begin (format t \"\\n{End}\\n\") (fflush nil))\n");
            _process.StandardInput.Flush();
            while (_process.StandardOutput.ReadLine() is { } line)
            {
                if (line == End)
                {
                    return lines;
                }

                lines.Add(line);
            }
        }
        catch (IOException)
        {
            // It has ended: said below.
        }

        cancellationToken.ThrowIfCancellationRequested();
        _process.WaitForExit();
        throw new AsrException(end.IsCancellationRequested ? $"festival did not answer within {SynthesizerProcess.Limit.TotalMinutes} minutes" : $"festival failed ({_process.ExitCode}): {Errors()}");
    }

    /// <inheritdoc />
    public void Dispose()
    {
        ProgramRun.Kill(_process);
        _process.Dispose();
    }

    private string Errors()
    {
        lock (_errors)
        {
            return _errors.ToString().TrimEnd(' ', ';');
        }
    }
}
