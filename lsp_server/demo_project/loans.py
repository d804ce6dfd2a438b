"""Who has borrowed which book from the village library, and until when."""

from dataclasses import dataclass, field
from datetime import date, timedelta

LOAN_PERIOD = timedelta(days=28)
FINE_PER_DAY = 0.20


@dataclass(frozen=True)
class Book:
    isbn: str
    title: str
    author: str
    year: int


@dataclass
class Loan:
    book: Book
    member: str
    borrowed_on: date
    returned_on: date | None = None

    @property
    def due_on(self) -> date:
        return self.borrowed_on + LOAN_PERIOD

    def is_overdue(self, today: date) -> bool:
        return self.returned_on is None and today > self.due_on

    def fine(self, today: date) -> float:
        """What the member owes for this loan, in euros."""
        if not self.is_overdue(today):
            return 0.0
        days_late = (today - self.due_on).days
        return days_late * FINE_PER_DAY


@dataclass
class Library:
    books: dict[str, Book] = field(default_factory=dict)
    loans: list[Loan] = field(default_factory=list)

    def add(self, book: Book) -> None:
        if book.isbn in self.books:
            raise ValueError(f"the library already has a book with ISBN {book.isbn}")
        self.books[book.isbn] = book

    def lend(self, isbn: str, member: str, today: date) -> Loan:
        """Lend a book that is on the shelf."""
        if self.is_lent(isbn):
            raise ValueError(f"{self.books[isbn].title} is lent out")
        loan = Loan(self.books[isbn], member, today)
        self.loans.append(loan)
        return loan

    def give_back(self, isbn: str, today: date) -> float:
        """Take a book back and return the fine that is due."""
        for loan in self.loans:
            if loan.book.isbn == isbn and loan.returned_on is None:
                fine = loan.fine(today)
                loan.returned_on = today
                return fine
        raise ValueError(f"no book with ISBN {isbn} is lent out")

    def is_lent(self, isbn: str) -> bool:
        return any(loan.book.isbn == isbn and loan.returned_on is None for loan in self.loans)

    def overdue(self, today: date) -> list[Loan]:
        """The loans that are overdue, the longest first."""
        late = [loan for loan in self.loans if loan.is_overdue(today)]
        return sorted(late, key=lambda loan: loan.due_on)
