namespace AsrPlatform.Abstractions;

/// <summary>An error that the user can act on: its message names what is wrong and what to do, in one line.</summary>
/// <remarks>
/// The command line prints the message alone and exits with code 1; servers answer with it. Anything else that is thrown
/// is a defect of the program and is logged with its stack trace.
/// </remarks>
public class AsrException : Exception
{
    /// <summary>Creates an error from a one-line message for the user.</summary>
    public AsrException(string message)
        : base(message)
    {
    }

    /// <summary>Creates an error from a one-line message for the user and the exception that caused it.</summary>
    public AsrException(string message, Exception? innerException)
        : base(message, innerException)
    {
    }
}
